"""The messages of an ONNX file that are known here, and the operators that are run.

Numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (IR version 13). Left out, and so
refused: training, local functions, subgraphs and with them control flow, sparse tensors, and what
spreads a network over machines.
"""

from typing import Final

from .protobuf_fields import Known, Schema

# Fields whose names are the same everywhere.
_DOC: Final = Known("doc_string", "bytes")
_METADATA: Final = Known("metadata_props", "bytes", is_repeated=True)

MODEL: Final[Schema] = {
    1: Known("ir_version", "number"), 2: Known("producer_name", "bytes"),
    3: Known("producer_version", "bytes"), 4: Known("domain", "bytes"),
    5: Known("model_version", "number"), 6: _DOC, 7: Known("graph", "bytes"),
    8: Known("opset_import", "bytes", is_repeated=True), 14: _METADATA,
}  # fmt: skip
OPSET: Final[Schema] = {1: Known("domain", "bytes"), 2: Known("version", "number")}
ENTRY: Final[Schema] = {1: Known("key", "bytes"), 2: Known("value", "bytes")}
GRAPH: Final[Schema] = {
    1: Known("node", "bytes", is_repeated=True), 2: Known("name", "bytes"),
    5: Known("initializer", "bytes", is_repeated=True), 10: _DOC,
    11: Known("input", "bytes", is_repeated=True), 12: Known("output", "bytes", is_repeated=True),
    13: Known("value_info", "bytes", is_repeated=True), 16: _METADATA,
}  # fmt: skip
NODE: Final[Schema] = {
    1: Known("input", "bytes", is_repeated=True), 2: Known("output", "bytes", is_repeated=True),
    3: Known("name", "bytes"), 4: Known("op_type", "bytes"),
    5: Known("attribute", "bytes", is_repeated=True), 6: _DOC, 7: Known("domain", "bytes"),
    8: Known("overload", "bytes"), 9: _METADATA,
}  # fmt: skip
ATTRIBUTE: Final[Schema] = {
    1: Known("name", "bytes"), 2: Known("f", "float"), 3: Known("i", "number"),
    4: Known("s", "bytes"), 5: Known("t", "bytes"), 7: Known("floats", "floats", is_repeated=True),
    8: Known("ints", "numbers", is_repeated=True), 9: Known("strings", "bytes", is_repeated=True),
    13: _DOC, 20: Known("type", "number"),
}  # fmt: skip
TENSOR: Final[Schema] = {
    1: Known("dims", "numbers", is_repeated=True), 2: Known("data_type", "number"),
    4: Known("float_data", "floats", is_repeated=True),
    5: Known("int32_data", "numbers", is_repeated=True),
    7: Known("int64_data", "numbers", is_repeated=True), 8: Known("name", "bytes"),
    9: Known("raw_data", "bytes"), 10: Known("double_data", "doubles", is_repeated=True), 12: _DOC,
    13: Known("external_data", "bytes", is_repeated=True), 14: Known("data_location", "number"),
    16: _METADATA,
}  # fmt: skip
VALUE: Final[Schema] = {1: Known("name", "bytes"), 2: Known("type", "bytes"), 3: _DOC, 4: _METADATA}
TYPE: Final[Schema] = {1: Known("tensor_type", "bytes"), 6: Known("denotation", "bytes")}
TENSOR_TYPE: Final[Schema] = {1: Known("elem_type", "number"), 2: Known("shape", "bytes")}
SHAPE: Final[Schema] = {1: Known("dim", "bytes", is_repeated=True)}
DIMENSION: Final[Schema] = {
    1: Known("dim_value", "number"), 2: Known("dim_param", "bytes"),
    3: Known("denotation", "bytes"),
}  # fmt: skip

# Operators of the standard domain that networks of volumes are made of: arithmetic on tensors,
# the same for the same input. No control flow, random numbers, texts, sequences or files.
OPERATORS: Final = frozenset(
    {
        "Abs", "Add", "And", "ArgMax", "ArgMin", "AveragePool", "BatchNormalization", "Cast",
        "CastLike", "Ceil", "Celu", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv",
        "ConvTranspose", "Cos", "CumSum", "DepthToSpace", "DequantizeLinear", "Div",
        "Einsum", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather",
        "GatherElements", "GatherND", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool",
        "Greater", "GreaterOrEqual", "GridSample", "GroupNormalization", "HardSigmoid",
        "HardSwish", "Identity", "InstanceNormalization", "LayerNormalization", "LeakyRelu",
        "Less", "LessOrEqual", "Log", "LogSoftmax", "LpNormalization", "MatMul", "Max", "MaxPool",
        "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pad", "Pow",
        "QuantizeLinear", "Range", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean",
        "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize",
        "Round", "ScatterElements", "ScatterND", "Selu", "Shape", "Sigmoid", "Sign", "Sin", "Size",
        "Slice", "Softmax", "Softplus", "Softsign", "SpaceToDepth", "Split", "Sqrt", "Squeeze",
        "Sub", "Sum", "Tanh", "ThresholdedRelu", "Tile", "Transpose", "Trilu", "Unsqueeze",
        "Upsample", "Where", "Xor",
    }
)  # fmt: skip
STANDARD_DOMAINS: Final = ("", "ai.onnx")
