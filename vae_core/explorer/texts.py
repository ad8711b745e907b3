"""Every text of the page, in English. Another language is another table with these names; {…} are filled in."""

ENGLISH = {
    "language": "en",
    # ---- the head
    "title": "Latent space explorer: {dataset}",
    "heading.sweep": "The latent space of {dataset}, at every weight on the KL term",
    "heading.run": "The latent space of {dataset}, at one weight on the KL term",
    "about": "{description}: {shown} of {images} test images; {epochs} of training.{objective}{density} Everything is "
    "decoded in this page, by the trained decoders.",
    "epoch": "1 epoch",
    "epochs": "{number} epochs",
    "missing": "Not in this page: {what}.",
    "failure.loading": "Loading. If this stays here: the page needs JavaScript, a browser of 2023 or later, and the "
    "whole file.",
    "failure.stopped": "The page has stopped: is the file whole, the browser of 2023 or later?",
    "failure.weight": "The data of kl_weight {weight} are damaged in this file. The other weights work; for this one "
    "get the file again.",
    "failure.network": "The data of the one network are damaged in this file. The runs work; for the network get the "
    "file again.",
    "failure.address": "Not understood in the address, and left out: {parts}.",
    "button.link": "Copy link",
    "button.picture": "Save picture",
    "button.print": "Print",
    "button.tour": "Tour",
    "link.copied": "The link is copied: it opens this page as it is now.",
    "link.by_hand": "The browser does not let the page copy. The link is: {link}",
    "picture.name": "explorer {dataset} kl_weight {weight}.png",
    # ---- the weight
    "weight": "Weight on the KL term",
    "weight.value": "kl_weight {weight}",
    "play": "Play",
    "play.stop": "Stop",
    "play.step": "Next weight",
    "source.run": "A run trained at {weight}.",
    "source.network": "The one network at {weight}.",
    "collapse.next": "Above kl_weight {weight} {what}, says the law of collapse.",
    "collapse.passed": "Above kl_weight {weight}, so the law of collapse: {what}.",
    "collapse.first": "the last code dies: every image is decoded alike",
    "collapse.unit": "latent unit {number} dies, and {left} is left",
    "collapse.units": "latent unit {number} dies, and {left} are left",
    "slider.help": "Slider: the dots are trained runs, each at its own weight. Between them the one network decodes, "
    "which was trained for every weight from {least} to {most}. Page Up and Page Down go from dot to dot.",
    # ---- the plane
    "plane": "Latent plane",
    "plane.label": "Latent plane with the codes of test images. Arrow keys move the point, Enter pins it.",
    "plane.outside": "{percent}% of the codes are outside this window",
    "plane.small": "the codes fill {percent}% of this window's width: see Fit to codes",
    "plane.turned": "turned to match its neighbour",
    "plane.mirrored": "mirrored to match its neighbour",
    "plane.turned.network": "turned to match the one network",
    "plane.mirrored.network": "mirrored to match the one network",
    "plane.unlike": "turned, but laid out otherwise than by the one network: no turn brings the two together",
    "plane.network": "turned to match the run at {start}",
    "plane.legend": "Classes shown",
    "plane.many_classes": "{classes} classes, too many to colour.",
    "plane.all": "All",
    "plane.none": "None",
    "plane.fit_codes": "Fit to codes",
    "plane.fit_prior": "Fit to prior",
    "plane.zoom_in": "Zoom in",
    "plane.zoom_out": "Zoom out",
    "plane.pin": "Pin the point",
    "plane.unpin": "Remove pins",
    "plane.draws": "Draws for means",
    "plane.window": "The window shows {middle} plus and minus {half}",
    "plane.how": "Mouse, fingers, keys",
    "plane.help.mouse": "Mouse: the image at the pointer follows. A click holds the point, so that you can go to the "
    "slider; Escape, or a click on the point, frees it. Shift and a click pin. Drag to pan; Ctrl and the wheel zoom, "
    "as does the wheel alone once the plane was clicked.",
    "plane.help.touch": "Fingers: one moves the point, two pan and zoom.",
    "plane.help.keys": "Keys: arrows move the point (with Shift in large steps), Enter pins, F follows the nearest "
    "test image, Escape frees the point, then removes the pins, + and \u2212 zoom.",
    "plane.help.turned": "Circles: one and two standard deviations of the prior. Which way the plane lies means "
    "nothing: the prior is round. So the plane of each weight is turned, and mirrored if need be, until its codes lie "
    "as near as they can to those of the neighbouring weight. A turned plane has axes u; z are the coordinates of the "
    "run. The ellipses of q(z|x) lie along the axes of z, and turn with the plane.",
    "plane.help.turned.network": "Circles: one and two standard deviations of the prior. Which way the plane lies "
    "means nothing: the prior is round. So the plane of each run is turned, and mirrored if need be, until its codes "
    "lie as near as they can to those of the one network at the same weight. Where a run has laid out its codes "
    "otherwise, no turn can do that, and the page says so. A turned plane has axes u; z are the coordinates of the "
    "model. The ellipses of q(z|x) lie along the axes of z, and turn with the plane.",
    "strip.label": "Images between the two pins",
    "strip.none": "Pin two points to see the images between them.",
    "strip.one": "A is pinned: a second pin shows the images between the two.",
    "strip.two": "From A to B, in even steps.",
    # ---- the point
    "point": "At the point",
    "point.decoded": "decoded",
    "point.decoded.label": "Decoded image",
    "point.original.label": "Test image",
    "point.near": "test image at the point",
    "point.nearest": "nearest test image",
    "point.followed": "followed: test image {number}",
    "point.reconstruction": "its reconstruction",
    "point.reconstruction.label": "Its reconstruction",
    "point.hold": "Hold the point",
    "point.follow": "Follow this image",
    "point.follow.none": "Follow no image",
    "point.help": "Reconstruction: decoded from the code, the mean of q(z|x). Distortion: the mean over {samples} "
    "draws from q(z|x). A followed image is marked on the plane at every weight, with one and two standard deviations "
    "of its q(z|x).",
    "point.u": "u",
    "point.z": "z",
    "point.density": "prior density",
    "point.code": "nearest code",
    "point.own_code": "its code",
    "point.away": "{distance} away",
    "point.no_class": "no class is shown",
    "point.class": "its class",
    "point.distortion": "its distortion",
    "point.rate": "its rate",
    "point.elbo": "its negative ELBO",
    "point.deviations": "its q(z|x), deviations",
    "nats": "{number} nats",
    # ---- an image of one's own
    "own.draw": "Draw an image",
    "own.beyond": "The one network encodes your image at weights from {least} to {most}: move the slider there.",
    "own.reconstruction.label": "Reconstruction of your image",
    "own.z": "code z",
    "own.deviations": "deviations",
    "own.distortion": "distortion",
    "own.rate": "rate",
    "own.elbo": "negative ELBO",
    "own.class": "nearest codes",
    "own.among": "{count} of {all} are {name}",
    "own.curve": "Distortion, negative ELBO and rate of your image over all weights",
    "own.curve.distortion": "distortion",
    "own.curve.elbo": "negative ELBO",
    "own.curve.rate": "rate, nats",
    "own.axis": "kl_weight, log scale",
    "own.help": "While an image of yours is shown, the one network decodes at every weight: the runs' encoders are not "
    "in this page. On the plane: its code with one and two standard deviations of q(z|x), and the path of the code "
    "from the least weight to the largest.",
    "said.near": "{point}, near {name}",
    "said.pin": "Pin {name} at {point}",
    "said.unpinned": "Pins removed",
    "said.held": "The point is held at {point}",
    "said.free": "The point follows the mouse again",
    "said.followed": "Test image {number} is followed",
    # ---- beside the plane
    "beside": "Beside the plane",
    "beside.decoded": "this window, decoded",
    "beside.weight": "kl_weight {weight}",
    "beside.manifold.label": "Grid of images decoded over the window of the latent plane",
    "beside.plane.label": "The same window at another weight",
    "beside.manifold.help": "The manifold: the images that this weight's decoder draws at the points of the plane. "
    "Click in it to go to a point.",
    "beside.plane.help": "The same window, the same point and the same image at another weight.",
    "beside.image": "at kl_weight {weight}",
    # ---- samples
    "samples": "Draws",
    "samples.prior": "24 draws from the prior",
    "samples.posterior": "24 draws from q(z|x)",
    "samples.none": "Remove them",
    "samples.label": "24 decoded draws",
    "samples.help": "Draw from the prior: how many of the 24 look like real images? Draw from q(z|x) of a followed "
    "image: how much of it survives the noise of its code? The same noise is used at every weight until you draw "
    "again.",
    "samples.caption.prior": "Decoded draws from the prior, marked on the plane.",
    "samples.caption.posterior": "Decoded draws from q(z|x) of test image {number}, marked on the plane.",
    # ---- losses
    "losses": "Rate and distortion",
    "losses.label": "The runs in the plane of rate and distortion. Arrow keys go from weight to weight.",
    "losses.value": "kl_weight {weight}: rate {rate}, distortion {distortion}",
    "losses.run": "kl_weight {weight}, seed {seed}",
    "losses.rate": "rate [nats/image], asinh scale",
    "losses.distortion": "distortion [nats/image]",
    "losses.caption": "Measures at this weight",
    "losses.measure": "measure",
    "losses.nats": "nats per image",
    "losses.help": "Plane and images: seed {seed}, the ringed dot. One dot per run; a click goes to the weight of the "
    "nearest dot. nll: -log p(x), which the negative ELBO bounds from above; mutual_information: the part of the rate "
    "that tells images apart.",
    "losses.network": "The line is the one network; its ring lies at this weight. Its measures are interpolated "
    "between the weights at which it was tested.",
    "losses.seeds": "Mean ± standard deviation over the seeds {seeds}.",
    "losses.one_seed": "One seed.",
    # ---- questions
    "questions": "Predict, then reveal",
    "questions.reveal": "Reveal",
    "questions.hide": "Hide",
    "questions.reveal.label": "Reveal the answer: {question}",
    "questions.hide.label": "Hide the answer: {question}",
    "questions.show": "Show in the plane",
    "questions.means": "Means at kl_weight {weight}",
    "questions.draws": "Draws at kl_weight {weight}",
    "questions.codes": "Codes at kl_weight {weight}",
    "questions.images": "Decoded images at kl_weight {weight}",
    "questions.bars": "Bars: {bars}",
    "at_weight": "{value} at kl_weight {weight}",
    "question.most": "Where will the codes be at kl_weight {most}?",
    "answer.most": "The means of q(z|x) lie {means} from the origin (root mean square, per dimension); draws from "
    "q(z|x), which the decoder gets, {draws}. The prior's samples: 1.",
    "question.least": "Where will the codes be at kl_weight {least}?",
    "answer.least": "{means} from the origin; {inside} of the codes are within three deviations of the prior each "
    "way. Mind the numbers at the axes.",
    "question.far": "What will the decoder of kl_weight {least} draw far outside the codes?",
    "answer.far": "{pixels}: {far} are within 1% of 0 or 1, {near} at the codes. (Three times as far out as the "
    "codes' 99% quantile, in five directions.)",
    "answer.far.grey": "Pixels that are all but black or all but white",
    "answer.far.colour": "Values of red, green and blue",
    "question.best": "Which weight has the lowest negative ELBO on the test images?",
    "answer.best": "kl_weight {best}. Nats per image: {values}.",
    "question.information": "At kl_weight {least}, how many nats of the rate tell one image from another?",
    "answer.information": "{information} of {rate}; {all} would tell all test images apart. The rest is the distance "
    "of all codes together from the prior.",
    "bar.information": "tell images apart",
    "bar.rest": "the rest",
    "question.classes": "How many classes will be among the images of the prior's samples at kl_weight {most}?",
    "answer.classes": "A judge, which is a classifier trained on the real images, sees {values}.",
    # ---- the tour
    "tour": "Tour",
    "tour.step": "Step {number} of {steps}",
    "tour.back": "Back",
    "tour.next": "Next",
    "tour.end": "End the tour",
    "tour.plane": "Each dot is a test image, drawn at its code, the mean of q(z|x). The circles are one and two "
    "standard deviations of the prior. Move over the plane: beside it you see what the decoder of kl_weight {start} "
    "draws there.",
    "tour.least": "Now kl_weight {least}. The means lie {means} from the origin, the prior's samples 1 (root mean "
    "square, per dimension), and {inside} of the codes are within three deviations of the prior each way. Mind the "
    "numbers at the axes. The rate is {rate} nats.",
    "tour.price": "Back to kl_weight {start}. The rate went from {high} to {low} nats, the distortion from {few} to "
    "{many}. What tells one image from another was {all} nats of the rate, and is {information} now.",
    "tour.image": "One test image is followed. The ellipses are one and two standard deviations of its q(z|x): the "
    "decoder gets a draw from there, not the mean. Press 24 draws from q(z|x) to see what that does to the image, and "
    "move the slider to see the ellipse at every weight.",
    "tour.most": "At kl_weight {most} the dots are draws from q(z|x). They lie {draws} from the origin, the means "
    "only {means}. What tells one image from another is {information} nats.",
    "tour.best": "Which weight is best? By the negative ELBO on the test images it is kl_weight {best}, with {value} "
    "nats. In the plane of rate and distortion you see what each weight pays for what it gets.",
    # ---- at the foot
    "precision.network": "The one network has {encoder} bits in its encoder and {decoder} in its decoder; on {images} "
    "test images at each weight that moves no code by more than {codes} and no pixel by more than {difference} of 255.",
    "precision": "Decoder weights have {bits} bits here; on {points} latent points at each weight no pixel is farther "
    "from that of the full weights than {difference} of 255.",
}
