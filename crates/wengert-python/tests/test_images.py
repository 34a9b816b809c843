"""Pictures: files, directories of them, and changes to them."""

import numpy as np
import pytest
import wengert
from beside import needs_torch, numbers, torch
from wengert.utils.data import DataLoader, ImageFolder, load_image, save_image, transforms


def ramp(*shape):
    return wengert.arange(int(np.prod(shape)), dtype=wengert.float32).reshape(*shape)


def test_files_come_back(tmp_path):
    wengert.manual_seed(0)
    picture = (wengert.rand(3, 5, 7) * 255).round() / 255
    save_image(picture, tmp_path / "a.png")
    back = load_image(tmp_path / "a.png")
    assert back.shape == (3, 5, 7) and back.dtype == wengert.float32
    np.testing.assert_allclose(numbers(back), numbers(picture), atol=1e-6)
    save_image(picture[0], tmp_path / "grey.png")
    grey = load_image(tmp_path / "grey.png")
    assert all(grey[i].tolist() == grey[0].tolist() for i in range(3))
    save_image(wengert.full((3, 16, 16), 0.5), tmp_path / "a.jpg")
    assert abs(float(load_image(tmp_path / "a.jpg").mean()) - 0.5) < 0.01
    with pytest.raises(ValueError, match="is no picture"):
        save_image(wengert.zeros(2, 3, 4, 5), tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    with pytest.raises(OSError, match="cannot read"):
        load_image(tmp_path / "c.png")


def test_directories_named_for_classes(tmp_path):
    for name, values in [("dog", [0.2]), ("cat", [0.4, 0.6])]:
        (tmp_path / name).mkdir()
        for i, value in enumerate(values):
            save_image(wengert.full((3, 4, 4), value), tmp_path / name / f"{i}.png")
        (tmp_path / name / "notes.txt").write_text("no picture")
    data = ImageFolder(tmp_path, transform=transforms.CenterCrop(2), target_transform=lambda t: 10 * t)
    assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1} and data.targets == [0, 0, 1]
    (pictures, classes), = DataLoader(data, batch_size=3)
    assert pictures.shape == (3, 3, 2, 2) and classes.tolist() == [0, 0, 10]
    np.testing.assert_allclose(numbers(pictures)[:, 0, 0, 0], [0.4, 0.6, 0.2], atol=1e-6)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no pictures"):
        ImageFolder(tmp_path / "empty")


def test_changes_without_chance():
    x = ramp(2, 4, 6)
    assert transforms.CenterCrop((2, 4))(x).tolist() == x[:, 1:3, 1:5].tolist()
    assert transforms.CenterCrop(5)(x).shape == (2, 5, 5)
    y = transforms.Normalize([1.0, 2.0], [2.0, 4.0])(x)
    np.testing.assert_allclose(numbers(y), (numbers(x) - [[[1]], [[2]]]) / [[[2]], [[4]]])
    assert transforms.Pad([1, 2, 3, 4], fill=9)(x).shape == (2, 4 + 2 + 4, 6 + 1 + 3)
    assert float(transforms.Pad(1, fill=9)(x)[0, 0, 0]) == 9
    assert transforms.Pad(1, padding_mode="reflect")(x)[0, 0, 1:7].tolist() == x[0, 1].tolist()
    assert transforms.Resize(2)(x).shape == (2, 2, 3) and transforms.Resize((8, 3))(x).shape == (2, 8, 3)
    assert transforms.RandomCrop((4, 6))(x).tolist() == x.tolist()
    bytes_ = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    y = transforms.ToTensor()(bytes_)
    np.testing.assert_allclose(numbers(y), bytes_.transpose(2, 0, 1) / np.float32(255))
    assert transforms.ToTensor()(np.zeros((2, 4))).shape == (1, 2, 4)
    assert transforms.make_grid(wengert.ones(3, 1, 2, 2), nrow=2, padding=1).shape == (1, 7, 7)


@needs_torch
def test_another_size_is_pytorchs():
    x = ramp(1, 9, 7) % 5
    theirs = torch.nn.functional.interpolate(
        torch.tensor(numbers(x))[None], size=(4, 5), mode="bilinear", align_corners=False, antialias=True
    )
    np.testing.assert_allclose(numbers(transforms.Resize((4, 5))(x)), theirs[0].numpy(), atol=1e-5)


def test_changes_by_chance():
    wengert.manual_seed(5)
    x = ramp(1, 6, 8)
    for change, turned in [(transforms.RandomHorizontalFlip(), x.flip(-1)), (transforms.RandomVerticalFlip(), x.flip(-2))]:
        seen = [change(x).tolist() for _ in range(200)]
        assert 60 < seen.count(x.tolist()) < 140 and seen.count(x.tolist()) + seen.count(turned.tolist()) == 200
    corners = {(int(y[0, 0, 0]) // 8, int(y[0, 0, 0]) % 8) for y in (transforms.RandomCrop((4, 5))(x) for _ in range(300))}
    assert corners == {(i, j) for i in range(3) for j in range(4)}
    assert transforms.RandomCrop(9, pad_if_needed=True)(x).shape == (1, 9, 9)
    assert transforms.RandomCrop(6, padding=2)(x).shape == (1, 6, 6)
    with pytest.raises(ValueError, match="a part of 7 by 5 from a picture of 6 by 8"):
        transforms.RandomCrop((7, 5))(x)
    parts = [transforms.RandomResizedCrop(4)(x + 1) for _ in range(50)]
    assert all(p.shape == (1, 4, 4) and 1 <= float(p.min()) <= float(p.max()) <= 49 for p in parts)
    erased = [int((transforms.RandomErasing(p=1.0, value=-1)(x) == -1).sum()) for _ in range(100)]
    assert all(0 < n <= 0.4 * 48 for n in erased) and len(set(erased)) > 3
    assert x.tolist() == ramp(1, 6, 8).tolist()
    both = transforms.Compose([transforms.RandomApply([transforms.Lambda(lambda t: t * 0)], p=0.25)])
    assert 25 < sum(float(both(x).sum()) == 0 for _ in range(200)) < 75
    # The same seed, the same changes.
    wengert.manual_seed(1)
    first = transforms.RandomCrop(3)(x).tolist()
    wengert.manual_seed(1)
    assert transforms.RandomCrop(3)(x).tolist() == first
