//! Kernels over row-major matrices. Each output is summed over its inputs in their order.

/// Rows that share one pass over the weights.
const TOGETHER: usize = 4;

/// outputs += inputs * weights, of as many rows as there are.
pub(crate) fn multiply_add(inputs: &[f32], weights: &[f32], outputs: &mut [f32], width: usize) {
    let rows = outputs.len() / width;
    let deep = inputs.len() / rows.max(1);
    let blocks = inputs
        .chunks(TOGETHER * deep)
        .zip(outputs.chunks_mut(TOGETHER * width));
    for (inputs, outputs) in blocks {
        for (i, weights) in weights.chunks_exact(width).enumerate() {
            for (input, output) in inputs
                .chunks_exact(deep)
                .zip(outputs.chunks_exact_mut(width))
            {
                let input = input[i];
                // Most activations of a rectified layer are zero, and adding zeros changes nothing.
                if input != 0.0 {
                    add_scaled(output, input, weights);
                }
            }
        }
    }
}

/// target += factor * source.
pub(crate) fn add_scaled(target: &mut [f32], factor: f32, source: &[f32]) {
    target
        .iter_mut()
        .zip(source)
        .for_each(|(target, source)| *target += factor * source);
}

/// weights += inputs transposed * deltas: the gradient of a layer's weights.
pub(crate) fn outer_add(inputs: &[f32], deltas: &[f32], weights: &mut [f32], width: usize) {
    let deep = weights.len() / width;
    for (input, delta) in inputs.chunks_exact(deep).zip(deltas.chunks_exact(width)) {
        for (&input, weights) in input.iter().zip(weights.chunks_exact_mut(width)) {
            if input != 0.0 {
                add_scaled(weights, input, delta);
            }
        }
    }
}

/// The transpose of a matrix with rows of this width.
pub(crate) fn transposed(matrix: &[f32], width: usize) -> Vec<f32> {
    let rows = matrix.len() / width;
    (0..matrix.len())
        .map(|i| matrix[i % rows * width + i / rows])
        .collect()
}
