"""How the latent plane of each weight is turned on the page, so that the eye can follow the codes."""

from collections.abc import Sequence

import numpy as np

ALIKE = 0.5  # of `likeness`: below it no turn brings two planes together


def turns(codes: Sequence[np.ndarray], still: int) -> list[np.ndarray]:
    """The rotation or reflection T of each plane, (2, 2); a latent point z is drawn at T z.

    The prior and a dense decoder are the same in every direction of the plane, so two runs that have learned the same
    may differ by a rotation or a reflection. The plane `still` is drawn as it is. Each other one is turned to its
    neighbour: see `turn_to`.

    codes: means of q(z|x) of the same images, (N, 2), for each weight in the order of the slider
    """
    found = {still: np.eye(2)}
    for index in (*range(still + 1, len(codes)), *range(still - 1, -1, -1)):
        neighbour = index - 1 if index > still else index + 1
        found[index] = turn_to(codes[index], codes[neighbour] @ found[neighbour].T)
    return [found[index] for index in range(len(codes))]


def turns_with_network(
    codes: Sequence[np.ndarray], network_codes: Sequence[np.ndarray], still: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """The turn of each run's plane where the sweep has one network for every weight, and the turn of the network's.

    The network's plane changes little from weight to weight, so one turn serves all of them: the one to the run
    `still`. Each other run is turned to the network at its own weight.

    codes, network_codes: means of q(z|x) of the same images, (N, 2), for each weight in the order of the slider
    """
    of_network = turn_to(network_codes[still], codes[still])
    found = [turn_to(run, theirs @ of_network.T) for run, theirs in zip(codes, network_codes, strict=True)]
    return [np.eye(2) if index == still else turn for index, turn in enumerate(found)], of_network


def turn_to(codes: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The T, (2, 2), that minimises the sum over the images of |T z - z'|^2; codes z and drawn codes z': (N, 2) each.

    With Z'^T Z = U S V^T, Z and Z' having a row for each image, it is U V^T (orthogonal Procrustes; Schönemann 1966).
    """
    left, _, right = np.linalg.svd(drawn.T.astype(float) @ codes.astype(float))
    return left @ right


def likeness(codes: np.ndarray, drawn: np.ndarray, turn: np.ndarray) -> float:
    """The squared cosine of the angle between T Z and Z', as vectors of 2 N numbers: 1 if they differ by a factor."""
    turned, other = codes @ turn.T.astype(float), drawn.astype(float)
    return float(np.sum(turned * other) ** 2 / (np.sum(turned**2) * np.sum(other**2) or 1))
