using Google.Protobuf;
using R1Serverless.ModelBuilder.Onnx;

namespace R1Serverless.ModelBuilder.Graphs;

/// <summary>Nodes as protobuf has them.</summary>
internal static class OnnxNode
{
    /// <param name="inputs">An empty name leaves an optional one out.</param>
    /// <param name="outputs">As the inputs.</param>
    /// <param name="attributes">Of int, float, string or long[].</param>
    public static NodeProto Create(string type, string name, IEnumerable<string> inputs, IEnumerable<string> outputs, string domain = "",
        params IEnumerable<(string Name, object Value)> attributes)
    {
        var node = new NodeProto { OpType = type, Name = name, Domain = domain };
        node.Input.Add(inputs);
        node.Output.Add(outputs);
        node.Attribute.Add(attributes.Select(attribute => Attribute(attribute.Name, attribute.Value)));
        return node;
    }

    private static AttributeProto Attribute(string name, object value) => value switch
    {
        int number => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = number },
        float number => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Float, F = number },
        string text => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.String, S = ByteString.CopyFromUtf8(text) },
        long[] numbers => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Ints, Ints = { numbers } },
        _ => throw new ArgumentOutOfRangeException(nameof(value), value, "Attributes are int, float, string or long[]."),
    };
}
