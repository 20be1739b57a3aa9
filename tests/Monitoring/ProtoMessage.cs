using Google.Protobuf;

namespace R1Serverless.Tests.Monitoring;

/// <summary>A protobuf message read without its schema: fields by number, as they came.</summary>
internal sealed class ProtoMessage
{
    private readonly List<(int Field, ByteString Bytes)> _bytes = [];
    private readonly List<(int Field, ulong Value)> _numbers = [];

    public ProtoMessage(ByteString bytes)
    {
        var input = bytes.CreateCodedInput();
        while (input.ReadTag() is var tag and not 0)
        {
            var field = WireFormat.GetTagFieldNumber(tag);
            switch (WireFormat.GetTagWireType(tag))
            {
                case WireFormat.WireType.LengthDelimited:
                    _bytes.Add((field, input.ReadBytes()));
                    break;
                case WireFormat.WireType.Varint:
                    _numbers.Add((field, input.ReadUInt64()));
                    break;
                case WireFormat.WireType.Fixed64:
                    _numbers.Add((field, input.ReadFixed64()));
                    break;
                default:
                    _numbers.Add((field, input.ReadFixed32()));
                    break;
            }
        }
    }

    public IEnumerable<ProtoMessage> All(params int[] path) => path is [var field]
        ? _bytes.Where(one => one.Field == field).Select(one => new ProtoMessage(one.Bytes))
        : All(path[0]).SelectMany(one => one.All(path[1..]));

    public string Text(int field) => _bytes.Single(one => one.Field == field).Bytes.ToStringUtf8();

    /// <summary>In hexadecimal; empty where it is not there.</summary>
    public string Hex(int field) =>
        _bytes.FirstOrDefault(one => one.Field == field) is { Bytes: { } bytes } ? Convert.ToHexStringLower(bytes.Span) : "";

    /// <summary>OpenTelemetry's KeyValue list: the texts and numbers in it.</summary>
    public Dictionary<string, string> Attributes(int field) =>
        All(field).ToDictionary(one => one.Text(1), one => one.All(2).Single().Value, StringComparer.Ordinal);

    private string Value => _bytes is [{ Field: 1 } text] ? text.Bytes.ToStringUtf8() : _numbers is [var number] ? number.Value.ToString() : "";
}
