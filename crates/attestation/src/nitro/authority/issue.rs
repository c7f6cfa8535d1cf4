//! Certificates in the shape of Nitro's.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Date, Duration, Month, OffsetDateTime, Time};

use super::RANDOM;

/// How the four certificates below the root are made out, from regional to leaf.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) plans: [Plan; 4],
}

/// What one certificate says.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    name: &'static str,
    pub(super) not_before: OffsetDateTime,
    pub(super) not_after: OffsetDateTime,
    pub(super) is_ca: IsCa,
    pub(super) key_usages: Vec<KeyUsagePurpose>,
    pub(super) extended_key_usages: Vec<ExtendedKeyUsagePurpose>,
}

const ROOT: &str = "simulated.nitro-enclaves";

impl Chain {
    /// The self-signed root, valid as long as AWS's: from 2019-10-28 to 2049-10-28.
    pub(super) fn root(key: &KeyPair) -> Certificate {
        let day = |year| Date::from_calendar_date(year, Month::October, 28);
        let midnight = |year| {
            let day = day(year).expect("a date that exists");
            OffsetDateTime::new_utc(day, Time::MIDNIGHT)
        };
        let plan = Plan {
            name: ROOT,
            not_before: midnight(2019),
            not_after: midnight(2049),
            is_ca: IsCa::Ca(BasicConstraints::Unconstrained),
            key_usages: authority_usages(),
            extended_key_usages: Vec::new(),
        };
        plan.params().self_signed(key).expect(RANDOM)
    }

    /// Valid at `millis`, and as long around it as Nitro's are.
    pub(super) fn honest(millis: u64) -> Chain {
        let at = moment(millis);
        let authority = |name, before, after, below| Plan {
            name,
            not_before: at - before,
            not_after: at + after,
            is_ca: IsCa::Ca(BasicConstraints::Constrained(below)),
            key_usages: authority_usages(),
            extended_key_usages: Vec::new(),
        };
        let days = Duration::days;
        let regional = authority("0.region.simulated.nitro-enclaves", days(5), days(15), 2);
        let zonal = authority(
            "0.zonal.region.simulated.nitro-enclaves",
            days(1),
            days(5),
            1,
        );
        let mut instance = authority(
            "i-0.region.simulated.nitro-enclaves",
            Duration::minutes(15),
            days(1),
            0,
        );
        instance.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let leaf = Plan {
            name: "i-0-enc0.region.simulated",
            not_before: at - Duration::seconds(3),
            not_after: at + Duration::hours(3),
            is_ca: IsCa::ExplicitNoCa,
            key_usages: vec![
                KeyUsagePurpose::DigitalSignature,
                KeyUsagePurpose::ContentCommitment,
            ],
            extended_key_usages: Vec::new(),
        };
        Chain {
            plans: [regional, zonal, instance, leaf],
        }
    }

    /// Signs them with the keys of root, regional, zonal and instance; the fifth key is the leaf's.
    pub(super) fn certificates(&self, keys: [&KeyPair; 5]) -> [Vec<u8>; 4] {
        std::array::from_fn(|i| {
            let issuer = match i {
                0 => named(ROOT),
                _ => self.plans[i - 1].params(),
            };
            let issuer = Issuer::new(issuer, keys[i]);
            let certificate = self.plans[i].params().signed_by(keys[i + 1], &issuer);
            certificate.expect(RANDOM).der().to_vec()
        })
    }

    /// An authority that has the root's name and its signature, but another key.
    #[cfg(feature = "forgeries")]
    pub(super) fn namesake_of_root(&self, root: &KeyPair, key: &KeyPair) -> Vec<u8> {
        let mut params = self.plans[0].params();
        params.distinguished_name = named(ROOT).distinguished_name;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.signed_by(key, &Issuer::new(named(ROOT), root));
        certificate.expect(RANDOM).der().to_vec()
    }
}

impl Plan {
    fn params(&self) -> CertificateParams {
        let mut params = named(self.name);
        params.not_before = self.not_before;
        params.not_after = self.not_after;
        params.is_ca = self.is_ca;
        params.key_usages = self.key_usages.clone();
        params.extended_key_usages = self.extended_key_usages.clone();
        params
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (part, text) in [
        (DnType::OrganizationName, "synclave"),
        (DnType::OrganizationalUnitName, "simulated platform"),
        (DnType::CommonName, name),
    ] {
        params.distinguished_name.push(part, text);
    }
    params
}

fn authority_usages() -> Vec<KeyUsagePurpose> {
    vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ]
}

fn moment(millis: u64) -> OffsetDateTime {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .filter(|time| (1951..9998).contains(&time.year()))
        .expect("the document's time is in the years 1951 to 9997")
}
