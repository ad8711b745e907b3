"""How the latent plane of each weight is turned on the page, so that the eye can follow the codes."""

from collections.abc import Sequence

import numpy as np


def turns(codes: Sequence[np.ndarray], still: int) -> list[np.ndarray]:
    """The rotation or reflection T of each plane, (2, 2); a latent point z is drawn at T z.

    The prior and a dense decoder are the same in every direction of the plane, so two runs that have learned the same
    may differ by a rotation or a reflection. The plane `still` is drawn as it is. Each other one is turned to its
    neighbour: T minimises the sum over the images of |T z - z'|^2, z' being the neighbour's codes as drawn. With
    Z'^T Z = U S V^T, Z and Z' having a row for each image, it is U V^T (orthogonal Procrustes; Schönemann 1966).

    codes: means of q(z|x) of the same images, (N, 2), for each weight in the order of the slider
    """
    found = {still: np.eye(2)}
    for index in (*range(still + 1, len(codes)), *range(still - 1, -1, -1)):
        neighbour = index - 1 if index > still else index + 1
        drawn = codes[neighbour] @ found[neighbour].T
        left, _, right = np.linalg.svd(drawn.T.astype(float) @ codes[index].astype(float))
        found[index] = left @ right
    return [found[index] for index in range(len(codes))]
