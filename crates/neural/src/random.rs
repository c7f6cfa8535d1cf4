use rand_core::Rng;

/// A uniform number from 0 to below 1, of 24 bits.
#[expect(clippy::cast_precision_loss, reason = "24 bits are exact")]
pub fn uniform(rng: &mut impl Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1_u32 << 24) as f32
}

/// A standard normal number, by Box and Muller. It is no noise that protects anybody: that is drawn
/// exactly, elsewhere.
#[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
pub fn normal(rng: &mut impl Rng) -> f32 {
    let (u, v) = (f64::from(uniform(rng)), f64::from(uniform(rng)));
    // 1 - u is above 0.
    ((-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}
