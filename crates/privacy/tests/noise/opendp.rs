//! Two samples, one of them by OpenDP, whose seed cannot be fixed: the bounds are such that a false
//! alarm comes once in a million runs.

use opendp::domains::{AtomDomain, VectorDomain};
use opendp::measurements::make_noisy_max;
use opendp::measures::ZeroConcentratedDivergence;
use opendp::metrics::LInfDistance;
use opendp::traits::samplers::sample_discrete_laplace;
use privacy::{NoiseRng, Rho};

use crate::statistics::two_samples;
use crate::{laplace_noise, scores, selections};

const DRAWS: usize = 40_000;

#[test]
fn laplace_noise_is_that_of_opendp() {
    let mut rng = NoiseRng::from_os().unwrap();
    for scale in [0.5, 1.0, 4.0, 20.0] {
        let theirs: Vec<i64> = (0..DRAWS)
            .map(|_| {
                sample_discrete_laplace(scale.try_into().unwrap())
                    .unwrap()
                    .try_into()
                    .unwrap()
            })
            .collect();
        let same = two_samples(&laplace_noise(1.0 / scale, DRAWS, &mut rng), &theirs);
        assert!(same > 2e-7, "scale {scale}: {same}");
    }
}

#[test]
fn selection_is_the_noisy_maximum_of_opendp_at_the_same_cost() {
    // Their scale with sensitivity 1 to either side (a range of 2): exp(score / scale), that is
    // epsilon = 2 / scale.
    let values = [3.0, 5.0, 4.0, 0.0, 4.5];
    let scale = 2.0;
    let theirs = make_noisy_max(
        VectorDomain::new(AtomDomain::<f64>::new_non_nan()),
        LInfDistance::<f64>::default(),
        ZeroConcentratedDivergence,
        scale,
        false,
    )
    .unwrap();
    let their_rho: f64 = theirs.map(&1.0).unwrap();
    let rho = Rho::try_from(0.125).unwrap();
    assert!((their_rho - rho.get()).abs() < 1e-12, "{their_rho}");
    let mut rng = NoiseRng::from_os().unwrap();
    let ours = selections(rho, || scores(&values), DRAWS, &mut rng);
    let theirs: Vec<i64> = (0..DRAWS)
        .map(|_| i64::try_from(theirs.invoke(&values.to_vec()).unwrap()).unwrap())
        .collect();
    let same = two_samples(&ours, &theirs);
    assert!(same > 2e-7, "{same}");
}
