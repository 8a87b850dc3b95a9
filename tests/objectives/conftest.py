"""What tests of losses share."""

import numpy as np
import pytest
import torch


def compare(loss, naive, *arrays, step=1e-6):
    """`loss` of float64 tensors and its gradients equal `naive` of the same arrays and its central differences."""
    tensors = [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in arrays]
    value = loss(*tensors)
    value.backward()
    assert value.item() == pytest.approx(naive(*arrays), rel=1e-10)
    for i, tensor in enumerate(tensors):
        numeric = np.zeros_like(arrays[i])
        for index in np.ndindex(numeric.shape):
            up, down = arrays[i].copy(), arrays[i].copy()
            up[index] += step
            down[index] -= step
            pair = [naive(*arrays[:i], changed, *arrays[i + 1 :]) for changed in (up, down)]
            numeric[index] = (pair[0] - pair[1]) / (2 * step)
        np.testing.assert_allclose(tensor.grad.numpy(), numeric, atol=2e-7)


@pytest.fixture
def equals_naive():
    """The function :func:`compare`."""
    return compare
