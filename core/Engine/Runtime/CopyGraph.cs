using System.Text;

namespace R1Serverless.Engine.Runtime;

/// <summary>An ONNX model of one node, written by hand: to = Identity(from), bytes of any number. Field numbers are the ONNX standard's.</summary>
internal static class CopyGraph
{
    public const string Input = "from", Output = "to";

    private const long IrVersion = 10, OperatorSet = 21, UInt8 = 2;

    public static byte[] Bytes { get; } =
    [
        .. Number(1, IrVersion),
        .. Message(8, Number(2, OperatorSet)),
        .. Message(7,
            [.. Text(2, "copy"), .. Message(1, [.. Text(1, Input), .. Text(2, Output), .. Text(4, "Identity")]), .. Value(11, Input),
            .. Value(12, Output)]),
    ];

    /// <summary>A tensor of one dimension with a name in place of a size.</summary>
    private static byte[] Value(int field, string name) =>
        Message(field, [.. Text(1, name), .. Message(2, Message(1, [.. Number(1, UInt8), .. Message(2, Message(1, Text(2, "bytes")))]))]);

    private static byte[] Text(int field, string text) => Message(field, Encoding.ASCII.GetBytes(text));

    /// <summary>All lengths and numbers here are below 128: one byte each.</summary>
    private static byte[] Message(int field, byte[] content) => [(byte)((field << 3) | 2), checked((byte)content.Length), .. content];

    private static byte[] Number(int field, long value) => [(byte)(field << 3), (byte)value];
}
