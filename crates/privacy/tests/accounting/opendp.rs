use opendp::combinators::make_zCDP_to_approxDP;
use opendp::domains::AtomDomain;
use opendp::measurements::make_gaussian;
use opendp::metrics::AbsoluteDistance;

use privacy::Accounting;

use crate::{delta, epsilon, rho};

#[test]
fn conversions_are_those_of_opendp() {
    for scale in [0.5_f64, 1.0, 4.0, 5.8, 30.0, 400.0] {
        let gaussian = make_gaussian(
            AtomDomain::<i64>::default(),
            AbsoluteDistance::<f64>::default(),
            scale,
            None,
        );
        let profile = make_zCDP_to_approxDP(gaussian.unwrap())
            .unwrap()
            .map(&1.0)
            .unwrap();
        let rho = rho(0.5 / (scale * scale));
        for wanted in [1e-3, 1e-6, 1e-9, 1e-15, 1e-50] {
            let (ours, theirs) = (
                Accounting::Zcdp.epsilon(rho, delta(wanted)).get(),
                profile.epsilon(wanted).unwrap(),
            );
            assert!(
                (ours / theirs - 1.0).abs() < 1e-8,
                "scale {scale}, delta {wanted}: {ours}, {theirs}"
            );
            let (ours, theirs) = (
                Accounting::Zcdp.delta(rho, epsilon(ours)).get(),
                profile.delta(ours).unwrap(),
            );
            assert!(
                (ours / theirs - 1.0).abs() < 1e-6,
                "scale {scale}, delta {wanted}: {ours}, {theirs}"
            );
        }
    }
}
