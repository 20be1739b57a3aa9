namespace R1Serverless.ModelBuilder.Checkpoints;

/// <summary>The element types of the format. Those of floating-point numbers come first; weights are F32, F16, BF16 or F8E4M3.</summary>
internal enum SafeTensorType
{
    F64,
    F32,
    F16,
    BF16,

    /// <summary>8 bits: a sign, 4 of exponent and 3 of fraction, without infinities.</summary>
    F8E4M3,
    F8E5M2,
    I64,
    U64,
    I32,
    U32,
    I16,
    U16,
    I8,
    U8,
    Bool,
}

/// <summary>What the format calls them, and what they take.</summary>
internal static class SafeTensorTypes
{
    private static readonly Dictionary<string, SafeTensorType> ByName = Enum.GetValues<SafeTensorType>().ToDictionary(Name, StringComparer.Ordinal);

    public static SafeTensorType? Find(string name) => ByName.TryGetValue(name, out var type) ? type : null;

    public static string Name(this SafeTensorType type) => type switch
    {
        SafeTensorType.F8E4M3 => "F8_E4M3",
        SafeTensorType.F8E5M2 => "F8_E5M2",
        SafeTensorType.Bool => "BOOL",
        _ => type.ToString(),
    };

    public static int Bytes(this SafeTensorType type) => type switch
    {
        SafeTensorType.F64 or SafeTensorType.I64 or SafeTensorType.U64 => 8,
        SafeTensorType.F32 or SafeTensorType.I32 or SafeTensorType.U32 => 4,
        SafeTensorType.F16 or SafeTensorType.BF16 or SafeTensorType.I16 or SafeTensorType.U16 => 2,
        _ => 1,
    };

    public static bool IsFloat(this SafeTensorType type) => type <= SafeTensorType.F8E5M2;
}
