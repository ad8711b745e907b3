# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A conditional VAE: the label says what, the code says how
#
# Images come with a class, so the decoder can be told the class. The code $z$ then has to say only what the label $y$
# leaves open, the style:
#
# $$\text{objective} = \underbrace{\mathbb{E}_{q(z|x)}[-\log p(x|z, y)]}_{\text{distortion}}
#   + \text{kl\_weight} \cdot \underbrace{\mathrm{KL}(q(z|x)\,\|\,p(z))}_{\text{rate}}$$
#
# At weight 1 this is a bound on $-\log p(x|y)$, not on $-\log p(x)$. The model follows the end of tutorial 003, the
# variational part of a series that begins with "Intro to Autoencoders" (its address is not known): convolutions, a code
# of `latent_dim` numbers, the label as ten more inputs of the decoder, squared errors. Up to a constant, squared errors
# are the negative log-likelihood of Gaussian pixels of variance 1/2.
#
# In the tutorial's figure of the architecture the image goes through the encoder to the code, the label goes past the
# encoder, and the two are joined before the decoder. The tutorial prints no layers. Those here are from tutorial 001,
# "Variational Auto-encoder, VAE" (in Chinese), section 12.4 of Charmve's
# [Computer Vision in Action](https://github.com/Charmve/computer-vision-in-action). Encoder: two 3 x 3 convolutions
# with 32 and 64 filters and steps of two pixels, then the mean and the log-variance. Decoder: a Dense layer to
# 7 x 7 x 32, then transposed convolutions with 64, 32 and 1 filters back to 28 x 28.
#
# The tutorial trains one model and shows pictures. Here a twin without labels is trained beside it, with the same
# initial weights wherever the shapes are the same, the same batches and the same noise, and what the pictures suggest
# is measured. It is one pair of trainings with one `seed`: every ± below is over test images only, and does not say how
# much another seed would change. All losses are in nats per image.

# %% tags=["parameters"]
dataset: str = "auto"  # a data set (mnist, fashion_mnist, digits), or auto: mnist if it is available, else digits
kl_weight: float = 1.0  # factor on the KL term, 0 or more; 1 is the ELBO
epochs: int = 20  # passes through the training images, 1 or more
batch_size: int = 128  # images per gradient step
learning_rate: float = 1e-3  # of Adam
latent_dim: int = 10  # numbers in the code, 3 or more
labels_into: str = "decoder"  # decoder: as in the tutorial; both: the encoder sees the label too
label: int = 7  # the class, 0 to 9, for paths between styles, and where paths between classes begin
cutout_size: int = 10  # height and width in pixels of the square that is cut out
cutout_row: int = 9  # its first row, 0 at the top
cutout_column: int = 9  # its first column, 0 on the left
seed: int = 0  # decides the initial weights, the batches and the noise; not affected by kl_weight
threads: int = 1  # CPU threads; a sweep fills the cores with runs of one thread each
data_dir: str = ""  # folder with mnist/ or fashion_mnist/ in it; empty: VAE_DATA_DIR, the cache, a download
run_dir: str = ""  # folder to write; empty: one of its own in results/single_runs/conditional_vae/<dataset>/

# %% [markdown]
# ## The data
#
# Each image below has its class above it. What differs between two images of one class?

# %%
import os

# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import Markdown

from vae_core import figures, latent, measures, runs, training, tutorials
from vae_core.data import check_dataset, load_dataset
from vae_core.lessons.conditional_vae import measures as lesson
from vae_core.lessons.conditional_vae import model, tutorial
from vae_core.lessons.conditional_vae.model import one_hot
from vae_core.parameters import check_choice, check_parameters
from vae_core.statistics import with_error

training_settings = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
shown = {"label": label, "cutout_size": cutout_size, "cutout_row": cutout_row, "cutout_column": cutout_column}
numbers = {**training_settings, "latent_dim": latent_dim, **shown, "seed": seed, "threads": threads}
check_parameters(numbers)
check_choice("labels_into", labels_into, tuple(model.LABELS_INTO))
model.check_what_is_shown(latent_dim, **shown)
training.use_threads(threads)

# %%
data = load_dataset(dataset, data_dir).as_floats()
check_dataset(data, model.CLASSES)
settings = {"dataset": data.name, **numbers, "labels_into": labels_into}
run = runs.start_run(settings, data.checksum, run_dir, "conditional_vae")
runs.write_dataset(run, data)
names = [data.class_names[one] for one in data.validation_labels[:10]]
figures.image_row(data.validation_images[:10], data.description, names)

# %% [markdown]
# ## Training, with the label and without
#
# The label is free: the rate does not charge for it. Which of the two terms will be smaller with it? A label says the
# logarithm of the number of classes, if all are equally frequent: 2.30 nats for ten. Is that what is saved?

# %%
vae = model.conditional_vae(kl_weight, seed, learning_rate, latent_dim, labels_into)
history, seconds = training.train(vae, data, epochs, batch_size, seed, run / "history.csv")
twin = model.unconditional_vae(kl_weight, seed, learning_rate, latent_dim)
twin_history, _ = training.train(twin, data, epochs, batch_size, seed)
title = f"{data.name}, kl_weight {kl_weight:g}: validation images"
columns = {"val_distortion": "distortion [nats/image]", "val_rate": "rate [nats/image]"}
curves = figures.curves({"with the label": history, "without": twin_history}, columns, title)
figures.save_figure(run / "loss_curves.png", curves)

# %% [markdown]
# ## In numbers, on the test images
#
# For a given label a conditional VAE is an ordinary one, so it is measured class by class with the same functions as
# any other. The last row is what the label saves, image by image.

# %%
mean, log_var = model.class_by_class(vae, data.test_labels, latent.encode, data.test_images)
twin_mean, twin_log_var = latent.encode(twin, data.test_images)
terms = model.class_by_class(vae, data.test_labels, measures.bound_terms, data.test_images, mean, log_var)
twin_terms = measures.terms(twin, data.test_images, twin_mean, twin_log_var)
lesson.terms_table(terms, twin_terms)

# %% [markdown]
# In one distribution of images and labels, $\log p(x|y) - \log p(x) = \log p(y|x) - \log p(y)$: knowing the label
# saves, on average, no more than it says. But these are two models, trained apart. Where more is saved, the label has
# also made the model of the images better, or its bound tighter.
#
# `nll` is an importance-weighted estimate of $-\log p(x|y)$. Like the distortion it leaves out the constant
# $\frac{784}{2}\log\pi$ of the Gaussian, so a perfect copy costs 0: the `entropy_floor`. A decoder whose code says
# nothing draws the mean image of the class if it is told the class (`zero_information_distortion`), else the mean of
# all images (`mean_image_distortion`).

# %%
measured = measures.bound_summary(vae, data, mean, log_var, terms)
measured |= with_error(rate_saved=twin_terms["rate"] - terms["rate"]) | lesson.class_anchors(vae.likelihood, data)
pd.Series(measured, name=f"kl_weight {kl_weight:g}").round(2).to_frame()

# %% [markdown]
# ## Images on demand
#
# Every row is one code, drawn from the prior; every column is one label. Does a row keep its style (slant, width,
# weight of the strokes; for clothes, brightness and length)? Is every image of the class that was asked for?

# %%
styles = latent.sample_prior(1000, seed, latent_dim)
drawn = model.decode(vae, styles[:, None], one_hot(np.arange(model.CLASSES)))  # (1000, 10, 28, 28)
title = f"{data.name}: a style in each row, a class in each column"
on_demand = figures.image_grid(drawn[:8], title, [f"style {i}" for i in range(1, 9)], data.class_names)
figures.save_figure(run / "on_demand.png", on_demand, colors=24)

# %% [markdown]
# A judge, a small classifier trained on the real images, looks at 1,000 images of each class. It knows only the
# classes, so it must name one even for a picture of nothing. The last column is its score on real test images.

# %%
judge = measures.train_judge(data)
lesson.asked_table(judge, drawn, data)

# %% [markdown]
# ## Do the classes still cluster?
#
# The codes are shown as the decoder gets them, one draw from each q(z|x), by kernel PCA: the components along which a
# Gaussian kernel of the given width sees most variance. Without labels, where are the classes? With labels, does the
# code still tell the class, though the decoder knows it already?

# %%
codes = latent.draw(mean, log_var, np.random.default_rng(0))[0]
twin_codes = latent.draw(twin_mean, twin_log_var, np.random.default_rng(0))[0]
clouds = {
    f"with the label (width {lesson.kernel_width(codes):.2f})": lesson.kernel_pca(codes),
    f"without (width {lesson.kernel_width(twin_codes):.2f})": lesson.kernel_pca(twin_codes),
}
planes = {name: components[:, :2] for name, components in clouds.items()}
of_shown = data.test_labels[: lesson.SHOWN_CODES]
title = f"{data.name}: kernel PCA of {len(of_shown):,} test codes"
axis_names = ("component 1", "component 2", "component 3")
figure = figures.planes(planes, of_shown, data.class_names, title, axis_names[:2])
figures.save_figure(run / "kernel_pca_2d.png", figure)

# %%
figure = figures.spaces(clouds, of_shown, data.class_names, title, axis_names)
figures.save_figure(run / "kernel_pca_3d.png", figure)

# %% [markdown]
# Two or three components can hide what the others tell, so the check uses all dimensions. `knn_accuracy` finds the
# class by the ten nearest training codes, among the means of q(z|x); `draws_knn_accuracy` does so among the draws.
# `chance_knn_accuracy` is the same with the training labels shuffled: what that vote reaches by chance. Only what the
# draws tell reaches the decoder and is charged by the rate: at least `class_information` nats of it are about the
# class. `silhouette`, also of draws, is 1 for clusters far apart, and 0 or less where there are none.

# %%
train_mean, train_log_var = model.class_by_class(vae, data.train_labels, latent.encode, data.train_images)
train_codes = latent.draw(train_mean, train_log_var, np.random.default_rng(1))[0]  # other noise than the test codes
information = measures.measure_codes(mean, log_var, data.test_labels, train_mean, data.train_labels)
information |= lesson.measure_clusters(codes, data.test_labels, train_codes, data.train_labels)

# %%
twin_train_mean, twin_train_log_var = latent.encode(twin, data.train_images)
twin_train_codes = latent.draw(twin_train_mean, twin_train_log_var, np.random.default_rng(1))[0]
twin_information = measures.knn_accuracy(twin_train_mean, data.train_labels, twin_mean, data.test_labels)
twin_information |= lesson.measure_clusters(twin_codes, data.test_labels, twin_train_codes, data.train_labels)
lesson.clusters_table({"with the label": information, "without": twin_information})

# %%
Markdown(lesson.clusters_verdict(information, twin_information))

# %% [markdown]
# ## A square cut out
#
# What was in the hole? The tutorial encodes the image with the hole in it and decodes with the true label. But a hole
# is black, and the encoder takes it for black pixels. A best guess should look only at the visible pixels: it is the
# code that makes them likely and, at a weight above 0, is likely itself. It is found by 60 gradient steps from the
# encoder's mean, so it is a local optimum; there may be a better one elsewhere. And what does a wrong label, that of
# the next class, make of the same pixels?

# %%
visible = model.visible_pixels(cutout_size, cutout_row, cutout_column)
filled = model.fill(vae, twin, data, visible)
one_of_each = np.unique(data.test_labels[: len(filled["black"])], return_index=True)[1]
guesses = ("no_label_best_guess", "label_decoded_code", "label_best_guess", "wrong_label_best_guess")
rows = [data.test_images, filled["black"], *(filled[key] for key in guesses)]
pictures = np.stack([row[one_of_each, ..., 0] for row in rows])  # (rows, classes, 28, 28)
row_names = ["image", "cut out", *(model.FILLINGS[key].replace(", ", "\n") for key in guesses)]
title = f"{data.name}: test images, a square cut out, and what fills it"
figures.save_figure(run / "inpainting.png", figures.image_grid(pictures, title, row_names), colors=24)

# %% [markdown]
# In numbers, for the first 200 test images, inside the square only. Filling it with the mean image needs no model.
# Which has the smaller error: a model that guesses without the label, or the mean image of the class?

# %%
errors = lesson.errors_inside(filled, data, visible)
lesson.filling_table(judge, filled, data, visible)

# %% [markdown]
# ## Between styles, between classes, both
#
# First the class stays and the style moves, from one draw of the prior to another:

# %%
title = f"{data.name}, class {data.class_names[label]}: from style to style"
between_styles = model.decode(vae, np.linspace(styles[:4], styles[4:8], 9, axis=1), one_hot(label))
figure = figures.image_grid(between_styles, title)  # (4, 9, 28, 28)
figures.save_figure(run / "between_styles.png", figure, colors=24)

# %% [markdown]
# Then the style stays and the label moves to each of the other classes. Half-way the label is half of one and half of
# another, which training never showed. Is there an image between two classes, or two images at once?

# %%
others = np.delete(np.arange(model.CLASSES), label)
title = f"{data.name}, one style: from {data.class_names[label]} to each other class"
between_classes = model.decode(vae, styles[0], np.linspace(one_hot(label), one_hot(others), 9, axis=1))
figure = figures.image_grid(between_classes, title, [data.class_names[other] for other in others])
figures.save_figure(run / "between_classes.png", figure, colors=24)

# %% [markdown]
# Last, both at once: the style moves to the right, the class downwards, and along the diagonal both do.

# %%
last = (label + 1) % model.CLASSES
title = f"{data.name}: style to the right, {data.class_names[label]} to {data.class_names[last]} downwards"
blends = np.linspace(one_hot(label), one_hot(last), 9)[:, None]  # (9, 1, 10)
both = model.decode(vae, np.linspace(styles[0], styles[1], 9), blends)  # (9, 9, 28, 28)
ends = [data.class_names[label], *[""] * 7, data.class_names[last]]
figures.save_figure(run / "styles_and_classes.png", figures.image_grid(both, title, ends), colors=24)

# %% [markdown]
# "Smooth" can be measured. On a hundred paths of each kind: how even are the steps, and is the judge as sure half-way
# as at the ends? A fade of one end into the other, pixel by pixel, has even steps too, so the judge also looks at the
# middle of such a fade. Is the model's middle more of an image than that? (The tutorial also has a page on which
# readers explore the codes by hand; it has no counterpart here.)

# %%
paths = model.decode_paths(vae, latent_dim)
lesson.paths_table(judge, paths)

# %% [markdown]
# ## What the tutorial says, and what came out
#
# Tutorial 003 prints no number for this model. Its statements:

# %%
different = tutorials.differences(settings, tutorial.SETTINGS)
Markdown(f"Settings that are not the tutorial's: {different or 'none that it states'}. {tutorial.UNSTATED}")

# %%
measured |= information | lesson.measure_images(judge, drawn, errors, paths)
measured |= lesson.prefixed("unconditional", {**with_error(**twin_terms), **twin_information})
compared = tutorials.tutorial_table(tutorial.NUMBER, lesson.tutorial_rows(vae, measured, data.test_labels))
Markdown(tutorials.tutorial_markdown(compared))

# %% [markdown]
# ## The run folder
#
# Parameters, losses, measures, figures, codes and weights are now in the run folder. `record.json`, written last, has
# their hashes.

# %%
runs.write_measures(run, measured)
runs.replace_file(run / tutorials.TUTORIAL_FILE, compared.to_csv(index=False))
images = {"on_demand": drawn[:8], "inpainting": pictures, "between_styles": between_styles}
images |= {"between_classes": between_classes, "styles_and_classes": both}
runs.save_latent(run, runs.Latent(mean, log_var, data.test_labels), images, styles=styles[:8])
vae.save_weights(run / "model.weights.h5")
runs.finish_run(run, seconds, "conditional_vae")
print("written:", os.path.relpath(run))
