"""BESTformer, the binary event-driven spiking transformer: what `sw.families` knows of it."""

from sw.families.arguments import argument
from sw.families.bestformer import reader
from sw.families.bestformer.config import ATTENTIONS, SIMILARITIES, VARIANTS, BestformerConfig
from sw.families.bestformer.options import BestformerOptions
from sw.families.family import Family, Training

_ARGUMENTS = (
    argument("variant", "tokenizer", choices=VARIANTS),
    argument("attention", "product with the binary map", choices=ATTENTIONS),
    argument("similarity", "of q and k", choices=SIMILARITIES),
    argument("theta", "threshold of the XNOR map, d / 2 + 1 if not given", type=float),
    argument("embed_dim", "channels D", type=int),
    argument("depth", "encoder blocks", type=int),
    argument("heads", "attention heads H", type=int),
    argument(
        "reversible",
        "two coupled streams and two heads; a network without is for comparison only",
        type=bool,
    ),
    argument(
        "binary",
        "1-bit weights and map; --no-binary trains the full-precision counterpart",
        type=bool,
    ),
    argument("mlp_ratio", "hidden width of the MLP in units of D", type=int),
)
_RUN = (
    argument(
        "teacher",
        "of the second head: 'train' for a full-precision counterpart "
        "that is trained first, a checkpoint, or MODULE:CALLABLE that makes any torch module",
    ),
    argument("teacher_epochs", "epochs of the teacher that is trained; 0 for --epochs", type=int),
)

BESTFORMER = Family(
    name="bestformer",
    title=reader.FAMILY,
    keys="patch_embed.block0_conv.weight, block.0.attn.q_conv.weight, ...",
    settings=reader.SETTINGS,
    recognises=reader.recognises,
    read=reader.read,
    told=reader.told,
    own_names=r"patch_embed\.(?:block|proj)\d*_|block\.\d+\.attn\.",
    comparison=("reversible", "binary"),
    training=Training(
        config=BestformerConfig,
        options=BestformerOptions,
        arguments=_ARGUMENTS,
        run_arguments=_RUN,
        summary="a binary event-driven spiking transformer (BESTformer)",
        predicts="the mean of a BESTformer's two heads, which both learn the labels",
        optimiser="AdamW",
        hooks="sw.families.bestformer.training",
    ),
)
