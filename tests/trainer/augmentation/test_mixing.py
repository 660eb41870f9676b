"""Images mixed in pairs: pixels and labels in the same proportion."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests.trainer.augmenting import SIZE, Pixels, augment, one_hot, speckles
from trainer.augmentation.pipeline import Augmentation
from trainer.augmentation_settings import CutMix, Flip, MixUp, Rotation, Step


def flat(count: int) -> npt.NDArray[np.uint8]:
    """Draw images of one value each: 10, 20, 30 and so on."""
    values = 10 * np.arange(1, count + 1, dtype=np.uint8)
    return np.broadcast_to(values[:, None, None, None], (count, SIZE, SIZE, 3)).copy()


def partners(labels: Pixels, pixels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return of each image the place of the one it was mixed with; all have classes of their own."""
    others: npt.NDArray[np.int64] = (labels - np.eye(len(pixels)) * labels).argmax(axis=1)
    return others


def mixed(step: Step, count: int, seed: tuple[int, int] = (1, 2)) -> tuple[Pixels, Pixels]:
    """Mix flat images that all have classes of their own."""
    own_class = tf.eye(count)
    varied, labels = Augmentation([step])(tf.constant(flat(count)), own_class, tf.constant(seed))
    return varied.numpy(), labels.numpy()


def test_mixup_blends_pixels_and_labels_alike() -> None:
    """An image's values are those of its pair in exactly the proportion of its label."""
    varied, labels = mixed(MixUp(alpha=1.0), 16)
    np.testing.assert_allclose(varied[:, 0, 0, 0], labels @ flat(16)[:, 0, 0, 0], rtol=1e-5)
    assert np.ptp(varied, axis=(1, 2, 3)).max() == 0


def test_cutmix_labels_are_the_shares_of_the_pixels() -> None:
    """A label says exactly which share of the pixels is whose, also where an edge cut the rectangle off."""
    for seed in range(10):
        varied, labels = mixed(CutMix(), 16, (seed, 0))
        counted = np.stack([(varied[..., 0] == value).mean(axis=(1, 2)) for value in flat(16)[:, 0, 0, 0]], axis=1)
        np.testing.assert_allclose(labels, counted, atol=1e-6)


def test_cutmix_pastes_a_rectangle_to_its_own_place() -> None:
    """What is pasted is one full rectangle of the other image, from the same place."""
    own, (varied, _) = speckles(8).astype(np.float32), augment([CutMix()], speckles(8))
    for index, image in enumerate(varied):
        pasted = (image != own[index]).any(axis=-1)
        other = next(p for p in own if (p[pasted] == image[pasted]).all()) if pasted.any() else own[index]
        rows, columns = np.flatnonzero(pasted.any(axis=1)), np.flatnonzero(pasted.any(axis=0))
        if len(rows):
            box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            np.testing.assert_array_equal(image[box], other[box])


@pytest.mark.parametrize("step", [MixUp(alpha=1.0), CutMix()], ids=lambda step: step.kind)
def test_every_image_is_mixed_with_another(step: Step) -> None:
    """No image meets itself, each is one other's partner, and another seed makes other pairs."""
    first, second = (mixed(step, 16, seed)[1] for seed in ((1, 2), (3, 4)))
    pairs = partners(first, flat(16))
    assert sorted(pairs) == list(range(16))
    assert (pairs != np.arange(16)).all()
    assert (pairs != partners(second, flat(16))).any()


@pytest.mark.parametrize("step", [MixUp(), CutMix()], ids=lambda step: step.kind)
def test_single_image_is_mixed_with_itself(step: Step) -> None:
    """The image of a batch of one stays as it is, label included."""
    varied, labels = augment([step], speckles(1))
    np.testing.assert_allclose(varied, speckles(1), rtol=1e-5)
    np.testing.assert_allclose(labels, one_hot(1), rtol=1e-6)


@pytest.mark.parametrize("alpha", [1e-4, 0.2, 1.0, 50.0])
def test_mixing_shares_follow_the_beta_distribution(alpha: float) -> None:
    """Mean and variance of 2,000 shares are those of Beta(alpha, alpha), and none is NaN however small alpha is."""
    blank, own_class = tf.zeros([2000, 1, 1, 3]), tf.eye(2000)
    _, labels = Augmentation([MixUp(alpha=alpha)])(blank, own_class, tf.constant([1, 2]))
    shares = np.diag(labels.numpy())
    assert not np.isnan(labels.numpy()).any()
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)


def test_each_batch_uses_one_of_several_mixing_steps() -> None:
    """With mixup and cutmix in one list a batch is either blended or pasted, each about half of the time."""
    steps: list[Step] = [MixUp(alpha=5.0), Flip(), CutMix()]
    flat_values = np.unique(flat(8))
    blended = []
    for number in range(40):
        varied, labels = augment(steps, flat(8), (number, 0))
        pasted = np.isin(varied, flat_values).all()
        assert pasted or np.ptp(varied, axis=(1, 2, 3)).max() == 0
        blended.append(not pasted)
        np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert 10 < sum(blended) < 30


def test_what_stands_before_mixing_happens_before_it() -> None:
    """Images that are turned and then pasted have upright rectangles: no pixel lies between two images."""
    varied, _ = augment([Rotation(degrees=45), CutMix()], flat(8))
    np.testing.assert_allclose(varied / 10, np.round(varied / 10), atol=1e-4)
    assert (np.ptp(varied, axis=(1, 2, 3)) > 1).any()
