namespace R1Serverless.Abstractions.Tensors;

/// <summary>The type of a tensor's elements, as the Open Inference Protocol v2 has them (and BFloat16, which Triton adds).</summary>
public enum TensorType
{
    /// <summary>One byte per element: 0 or 1.</summary>
    Bool,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Int8,
    Int16,
    Int32,
    Int64,
    Float16,
    Float32,
    Float64,
    BFloat16,

    /// <summary>Texts or other byte strings, each of any length.</summary>
    Bytes,
}

/// <summary>Names and sizes of types as the Open Inference Protocol v2 has them.</summary>
public static class TensorTypes
{
    private static readonly (string Name, int Size)[] All =
    [
        ("BOOL", 1), ("UINT8", 1), ("UINT16", 2), ("UINT32", 4), ("UINT64", 8), ("INT8", 1), ("INT16", 2), ("INT32", 4), ("INT64", 8),
        ("FP16", 2), ("FP32", 4), ("FP64", 8), ("BF16", 2), ("BYTES", 0),
    ];

    /// <summary>Every name, in the order of <see cref="TensorType"/>.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(type => type.Name)];

    /// <summary>The protocol's name, such as FP32.</summary>
    public static string Name(TensorType type) => All[(int)type].Name;

    /// <summary>The type of that name, in capitals; null where there is none.</summary>
    public static TensorType? Find(string? name) => Array.FindIndex(All, type => type.Name == name) is >= 0 and var at ? (TensorType)at : null;

    /// <summary>Bytes of one element; 0 for <see cref="TensorType.Bytes"/>, whose elements have no fixed size.</summary>
    public static int Size(TensorType type) => All[(int)type].Size;
}
