"""Many L2-regularised logistic regressions on the same features at once.

Every pair (label, regularisation) is one column of a coefficient matrix, so an iteration of all of them is two
matrix products. The features are rotated to their principal axes first (never more than min(records, features)
of them), which makes the curvature nearly diagonal; each column then runs its own limited-memory BFGS
(Nocedal & Wright, Numerical Optimization, algorithm 7.4) with its own step length, and stops on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_MEMORY = 10
_ARMIJO = 1e-4


@dataclass(frozen=True)
class Fit:
    """Coefficients of K regressions.

    Attributes
    ----------
    coefficients : ndarray, float64, (D, K)
    intercepts : ndarray, float64, (K,)
    iterations : int
    converged : ndarray, bool, (K,)
    """

    coefficients: Array
    intercepts: Array
    iterations: int
    converged: NDArray[np.bool_]


def fit_logistic(x: Array, y: Array, strength: Array, *, tolerance: float = 1e-5, most: int = 300) -> Fit:
    """Minimise, for every column k, mean log-loss over its labelled records + ½ strength[k] · ‖w‖².

    Parameters
    ----------
    x : ndarray, float64, (N, D)
        Standardised features; no missing values.
    y : ndarray, float64, (N, K)
        0, 1 or NaN = not labelled: no part in the loss.
    strength : ndarray, float64, (K,), > 0
        The intercept is not penalised.
    tolerance : float
        A column has converged when the largest entry of its preconditioned gradient is below this.
    most : int
        The largest number of iterations.
    """
    _, size, axes = np.linalg.svd(x, full_matrices=False)
    axes = axes[size > size.max(initial=0.0) * 1e-10]
    z = np.column_stack([x @ axes.T, np.ones(len(x))])  # the last column is the intercept
    problem = _Problem(z, y, strength)
    theta, iterations, converged = _lbfgs(problem, tolerance, most)
    return Fit(axes.T @ theta[:-1], theta[-1], iterations, converged)


class _Problem:
    """Loss and gradient of all columns; `scale` is the inverse of a diagonal bound of the curvature."""

    def __init__(self, z: Array, y: Array, strength: Array) -> None:
        known = ~np.isnan(y)
        count = np.maximum(known.sum(axis=0), 1)
        self.z, self.y = z, np.where(known, y, 0.0)
        self.share = known / count  # weight of each record in its column's mean
        self.penalty = np.vstack(
            [np.broadcast_to(strength, (z.shape[1] - 1, len(strength))), np.zeros(len(strength))]
        )
        rate = np.clip((self.y * self.share).sum(axis=0), 1e-3, 1 - 1e-3)
        curvature = rate * (1 - rate) * ((z**2).T @ self.share)
        self.scale = 1.0 / (curvature + self.penalty + 1e-8)
        self.start = np.zeros((z.shape[1], len(strength)))
        self.start[-1] = np.log(rate / (1 - rate))

    def loss_and_gradient(self, theta: Array, columns: NDArray) -> tuple[Array, Array]:
        share, penalty = self.share[:, columns], self.penalty[:, columns]
        logit = self.z @ theta
        tail = np.exp(-np.abs(logit))
        loss = np.log1p(tail) + np.maximum(logit, 0.0) - self.y[:, columns] * logit
        residual = (np.where(logit >= 0, 1.0, tail) / (1.0 + tail) - self.y[:, columns]) * share
        total = (loss * share).sum(axis=0) + 0.5 * (penalty * theta**2).sum(axis=0)
        return total, self.z.T @ residual + penalty * theta


def _lbfgs(problem: _Problem, tolerance: float, most: int) -> tuple[Array, int, NDArray[np.bool_]]:
    theta = problem.start.copy()
    columns = np.arange(theta.shape[1])  # those still at work
    loss, gradient = problem.loss_and_gradient(theta, columns)
    steps: list[Array] = []
    changes: list[Array] = []
    converged = np.zeros(theta.shape[1], dtype=bool)
    iteration = 0
    for iteration in range(1, most + 1):  # noqa: B007
        scale = problem.scale[:, columns]
        direction = -_two_loops(gradient, scale, steps, changes)
        slope = (direction * gradient).sum(axis=0)
        uphill = slope >= 0
        direction[:, uphill] = -(scale * gradient)[:, uphill]
        slope = (direction * gradient).sum(axis=0)
        moved, new_loss, new_gradient = _line_search(
            problem, theta[:, columns], loss, direction, slope, columns
        )
        stuck = ~(new_loss < loss)
        steps = [*steps[-_MEMORY + 1 :], moved]
        changes = [*changes[-_MEMORY + 1 :], new_gradient - gradient]
        theta[:, columns] += moved
        loss, gradient = new_loss, new_gradient
        flat = np.abs(gradient * np.sqrt(scale)).max(axis=0) < tolerance
        converged[columns[flat | stuck]] = True
        keep = ~(flat | stuck)
        if not keep.any():
            break
        columns, loss, gradient = columns[keep], loss[keep], gradient[:, keep]
        steps, changes = [s[:, keep] for s in steps], [c[:, keep] for c in changes]
    return theta, iteration, converged


def _two_loops(gradient: Array, scale: Array, steps: list[Array], changes: list[Array]) -> Array:
    """The quasi-Newton direction of every column, from its last steps and changes of gradient."""
    q = gradient.copy()
    past = []
    for s, c in zip(reversed(steps), reversed(changes), strict=True):
        product = (s * c).sum(axis=0)
        inverse = np.divide(1.0, product, out=np.zeros_like(product), where=product > 1e-300)
        alpha = inverse * (s * q).sum(axis=0)
        q -= alpha * c
        past.append((s, c, inverse, alpha))
    q *= scale
    for s, c, inverse, alpha in reversed(past):
        q += s * (alpha - inverse * (c * q).sum(axis=0))
    return q


def _line_search(
    problem: _Problem, theta: Array, loss: Array, direction: Array, slope: Array, columns: NDArray
) -> tuple[Array, Array, Array]:
    """Halve each column's own step until its loss has fallen enough; a column that never does stays put."""
    length = np.ones(theta.shape[1])
    new_loss, new_gradient = problem.loss_and_gradient(theta + direction, columns)
    for _ in range(30):
        bad = ~(new_loss <= loss + _ARMIJO * length * slope)
        if not bad.any():
            break
        length[bad] *= 0.5
        trial = theta[:, bad] + length[bad] * direction[:, bad]
        new_loss[bad], new_gradient[:, bad] = problem.loss_and_gradient(trial, columns[bad])
    return length * direction, new_loss, new_gradient
