using System.Buffers.Binary;
using System.Text;

namespace R1Serverless.Models.Layouts;

/// <summary>Reads protobuf fields of a file one by one and steps over what nobody asks for, however large, without reading it.</summary>
internal sealed class ProtobufReader(Stream stream, string path, string kind = "ONNX graph")
{
    private const int Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5;
    private const int LongestText = 1 << 20;

    private int _wire;

    /// <summary>The next field before <paramref name="end"/>; 0 where there is none.</summary>
    public int Next(long end)
    {
        if (stream.Position >= end) return stream.Position == end ? 0 : throw Damaged();
        var tag = Number();
        _wire = (int)(tag & 7);
        return tag >> 3 is > 0 and <= int.MaxValue ? (int)(tag >> 3) : throw Damaged();
    }

    /// <summary>The field's content is a message, or packed numbers: where it ends.</summary>
    public long Enter()
    {
        if (_wire != Bytes) throw Damaged();
        var length = Number();
        return length >= 0 && length <= stream.Length - stream.Position ? stream.Position + length : throw Damaged();
    }

    public string Text()
    {
        var end = Enter();
        if (end - stream.Position > LongestText) throw Damaged();
        var bytes = new byte[end - stream.Position];
        stream.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    public float Single()
    {
        if (_wire != Fixed32) throw Damaged();
        Span<byte> bytes = stackalloc byte[sizeof(float)];
        stream.ReadExactly(bytes);
        return BinaryPrimitives.ReadSingleLittleEndian(bytes);
    }

    public long Integer() => _wire == Varint ? Number() : throw Damaged();

    /// <summary>One number, or several packed together.</summary>
    public IEnumerable<long> Integers()
    {
        if (_wire == Varint)
        {
            yield return Number();
            yield break;
        }

        for (var end = Enter(); stream.Position < end;) yield return Number();
    }

    public void Skip()
    {
        stream.Position = _wire switch
        {
            Varint => Number() is var _ ? stream.Position : 0,
            Fixed64 => stream.Position + 8,
            Bytes => Enter(),
            Fixed32 => stream.Position + 4,
            _ => throw Damaged(),
        };
    }

    public InvalidModelException Damaged() => new($"{path} is no {kind}, or is damaged at byte {stream.Position}.");

    private long Number()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = stream.ReadByte();
            if (next < 0) throw Damaged();
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return (long)value;
        }

        throw Damaged();
    }
}
