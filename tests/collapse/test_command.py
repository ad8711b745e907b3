"""What `python -m vae_core.collapse` prints, in this process and as a program."""

import subprocess
import sys

import numpy as np
import pytest

from vae_core.collapse.command import main
from vae_core.collapse.law import collapse_weights
from vae_core.collapse.moments import moments
from vae_core.collapse.pixels import pixel_variance
from vae_core.runs import PROJECT


def said(capsys, *arguments) -> str:
    assert main(["--dataset", "digits", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_the_program_says_on_one_screen_when_units_die_and_loads_no_keras():
    code = (
        "import sys; from vae_core.collapse.command import main; code = main(['--dataset', 'digits']); "
        "sys.exit(code or 'keras' in sys.modules)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    lines = finished.stdout.splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert "   1    31.58  " + 40 * "#" in lines
    assert "   4    15.97  " + 20 * "#" in lines
    assert "at kl_weight    0 0.02  0.1  0.5    1    2   10   20" in lines
    assert (
        "units alive    61   61   54   33   26   17    6    3" in lines
    )  # of 64 numbers, enlarged to 784, 3 never vary


def test_likelihood_binarise_and_weights_are_those_that_are_asked_for(capsys, digits):
    gaussian = collapse_weights(moments(digits.train_images), pixel_variance("gaussian", 0.5))
    words = said(capsys, "--likelihood", "gaussian", "--pixel-variance", 0.5, "--kl-weights", gaussian[2], 1e6)
    assert f"   1 {gaussian[0]:>8.2f}  #" in words
    assert words.split("units alive")[1].split()[:2] == ["2", "0"]
    tossed = said(capsys, "--binarise", "each_epoch")
    assert "tossed anew in each epoch" in tossed
    assert "   1    31.58" not in tossed


def test_own_images_are_read(tmp_path, capsys, rng):
    np.save(tmp_path / "own.npy", rng.integers(256, size=(300, 8, 9, 3), dtype=np.uint8))
    assert main(["--dataset", str(tmp_path / "own.npy")]) == 0
    assert "240 training images" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "nonsense"], "unknown data set 'nonsense'"),
        (["--dataset", "digits", "--likelihood", "poisson"], "argument --likelihood: invalid choice: 'poisson'"),
        (["--dataset", "digits", "--pixel-variance", "2"], "bernoulli has no pixel_variance to choose"),
        (["--dataset", "digits", "--kl-weights", "-1"], "kl_weight must be at least 0"),
        (["--dataset", "digits", "--likelihood", "gaussian", "--binarise", "threshold"], "gaussian is a density"),
        (["--datasets", "x", "more"], "unrecognized arguments: --datasets x more"),
    ],
)
def test_wrong_usage_is_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(f"collapse: {message}")
    assert error.count("\n") == 1


def test_of_large_images_the_first_weights_are_told(tmp_path, capsys, rng):
    np.save(tmp_path / "large.npy", rng.integers(256, size=(400, 36, 36), dtype=np.uint8))
    assert main(["--dataset", str(tmp_path / "large.npy"), "--kl-weights", "0", "1", "99"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "units alive  128+ 128+    0" in lines
    assert "128+ is 128 or more: no more weights are computed for images of this size." in lines
    assert "black or white" not in " ".join(lines)  # no pixel is near


def test_one_pixel_that_varies_and_is_rare(tmp_path, capsys):
    images = np.zeros((400, 8, 8))
    images[::125, 3, 4] = 1
    np.save(tmp_path / "one.npy", images)
    assert main(["--dataset", str(tmp_path / "one.npy")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("unit   dies at kl_weight") + 1 :][:2] == ["   1     1.00  " + 40 * "#", ""]
    assert "Without the 1 pixel whose mean is within 0.01 of black or white no unit can live." in " ".join(lines)


def test_many_weights_take_more_lines(capsys):
    lines = said(capsys, "--kl-weights", *np.linspace(0, 3, 31)).splitlines()
    assert max(map(len, lines)) <= 80
    counts = [int(number) for line in lines if line.startswith("units alive") for number in line.split()[2:]]
    assert (len(counts), counts[0], counts[5], counts[10]) == (31, 61, 33, 26)


def test_images_that_are_all_the_same_are_refused(tmp_path, capsys, rng):
    np.save(tmp_path / "same.npy", np.repeat(rng.random((1, 9, 9)), 300, axis=0))
    assert main(["--dataset", str(tmp_path / "same.npy")]) == 2
    assert capsys.readouterr().err == (
        "collapse: same: all training images are the same, so a code has nothing to tell: add others\n"
    )


def test_the_screen_on_the_page_is_what_the_command_prints(capsys):
    page = (PROJECT / "docs" / "collapse.md").read_text()
    assert f"```text\n{said(capsys)}```" in page
