use zeroize::Zeroize;

/// Options of [`Adam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamOptions {
    /// The learning rate.
    pub rate: f64,
    /// What is added to each gradient, in shares of the parameter.
    pub decay: f64,
}

/// Kingma and Ba 2015, arXiv:1412.6980, algorithm 1, with the betas that are usual for such
/// networks (0.5 and 0.9).
#[derive(Debug, Clone)]
pub struct Adam {
    options: AdamOptions,
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Adam {
    const BETAS: [f64; 2] = [0.5, 0.9];
    const EPSILON: f64 = 1e-8;

    /// For so many parameters.
    #[must_use]
    pub fn new(parameters: usize, options: AdamOptions) -> Adam {
        Adam {
            options,
            first: vec![0.0; parameters],
            second: vec![0.0; parameters],
            steps: 0,
        }
    }

    /// Overwrites all that it remembers of gradients.
    pub fn wipe(&mut self) {
        self.first.zeroize();
        self.second.zeroize();
    }

    /// Moves the parameters against the gradient.
    ///
    /// # Panics
    /// If there are more or fewer than at first.
    pub fn step(&mut self, parameters: &mut [f32], gradient: impl Iterator<Item = f64>) {
        assert_eq!(parameters.len(), self.first.len(), "as many parameters");
        let [first, second] = Adam::BETAS;
        self.steps = self.steps.saturating_add(1);
        let correction = [first, second].map(|beta| 1.0 - beta.powi(self.steps));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((parameter, (m, v)), g) in parameters.iter_mut().zip(moments).zip(gradient) {
            let g = g + self.options.decay * f64::from(*parameter);
            *m = first * *m + (1.0 - first) * g;
            *v = second * *v + (1.0 - second) * g * g;
            let step = (*m / correction[0]) / ((*v / correction[1]).sqrt() + Adam::EPSILON);
            #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
            let moved = (f64::from(*parameter) - self.options.rate * step) as f32;
            *parameter = moved;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_as_long_as_the_rate_and_a_bowl_is_descended() {
        let options = AdamOptions {
            rate: 0.1,
            decay: 0.0,
        };
        let mut adam = Adam::new(2, options);
        let mut at = [1.0_f32, -3.0];
        adam.step(&mut at, [5.0, -0.001].into_iter());
        assert!(
            (at[0] - 0.9).abs() < 1e-5 && (at[1] + 2.9).abs() < 1e-3,
            "{at:?}"
        );
        for _ in 0..500 {
            let gradient = at.map(|x| 2.0 * f64::from(x));
            adam.step(&mut at, gradient.into_iter());
        }
        assert!(at.iter().all(|x| x.abs() < 0.1), "{at:?}");
    }
}
