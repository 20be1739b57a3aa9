using System.Runtime.InteropServices;
using Google.Protobuf;
using R1Serverless.ModelBuilder.Onnx;

namespace R1Serverless.Tests.Engine.Runtime;

/// <summary>The shipped model's graph, rewritten into what other builders make of the same weights.</summary>
internal sealed class RewrittenGraph
{
    private const int Float = 1, Int32 = 6, Int64 = 7, Half = 10;

    private readonly ModelProto _model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(TestModels.NanoGraph));

    private GraphProto Graph => _model.Graph;

    private IEnumerable<NodeProto> Attentions => Graph.Node.Where(node => node.OpType == "GroupQueryAttention");

    public void Save(string path) => File.WriteAllBytes(path, _model.ToByteArray());

    /// <summary>The same with the large weights in files beside it, in turns.</summary>
    public void Save(string path, params string[] files)
    {
        var next = 0;
        foreach (var tensor in Graph.Initializer.Where(tensor => tensor.RawData.Length > 1024))
        {
            var file = files[next++ % files.Length];
            using var data = new FileStream(Path.Combine(Path.GetDirectoryName(path)!, file), FileMode.Append);
            tensor.DataLocation = TensorProto.Types.DataLocation.External;
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = file });
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = $"{data.Position}" });
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = $"{tensor.RawData.Length}" });
            data.Write(tensor.RawData.Span);
            tensor.RawData = ByteString.Empty;
        }

        Save(path);
    }

    /// <summary>Rotary embeddings at positions that the caller gives, instead of those that follow from the lengths.</summary>
    public RewrittenGraph WithPositions()
    {
        var input = Graph.Input.First(i => i.Name == "input_ids").Clone();
        input.Name = "position_ids";
        Graph.Input.Add(input);
        foreach (var node in Attentions) node.Input.Add("position_ids");
        return this;
    }

    public RewrittenGraph WithHalfLogits()
    {
        Graph.Node.First(node => node.Output.Contains("logits")).Output[0] = "logits_float";
        Graph.Node.Add(Cast("logits_float", "logits", Half));
        Retype(Graph.Output, "logits", Half);
        return this;
    }

    /// <summary>Attention, keys and values in float16, the rest as it was.</summary>
    public RewrittenGraph WithHalfCache()
    {
        foreach (var value in Graph.Input.Concat(Graph.Output)
            .Where(v => v.Name.StartsWith("past", StringComparison.Ordinal) || v.Name.StartsWith("present", StringComparison.Ordinal)))
            value.Type.TensorType.ElemType = Half;
        foreach (var node in Attentions.ToList())
        {
            foreach (var i in (int[])[0, 7, 8])
            {
                var narrow = $"{node.Name}/half_{i}";
                Insert(node, Cast(node.Input[i], narrow, Half));
                node.Input[i] = narrow;
            }

            var wide = node.Output[0];
            node.Output[0] = $"{node.Name}/half";
            Graph.Node.Insert(Graph.Node.IndexOf(node) + 1, Cast(node.Output[0], wide, Float));
        }

        return this;
    }

    public RewrittenGraph WithHalfWeights()
    {
        foreach (var constant in Graph.Initializer.Where(c => c.DataType == Float).ToList())
        {
            var values = MemoryMarshal.Cast<byte, float>(constant.RawData.Span).ToArray();
            constant.RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<Half>([.. values.Select(v => (Half)v)]));
            constant.DataType = Half;
            var name = constant.Name;
            constant.Name = $"{name}_half";
            Graph.Node.Insert(0, Cast(constant.Name, name, Float));
        }

        return this;
    }

    public RewrittenGraph WithNarrowIntegers()
    {
        foreach (var name in (string[])["input_ids", "attention_mask"])
        {
            foreach (var node in Graph.Node) Replace(node.Input, name, $"{name}_wide");
            Graph.Node.Insert(0, Cast(name, $"{name}_wide", Int64));
            Retype(Graph.Input, name, Int32);
        }

        return this;
    }

    /// <summary>The last column's logits, padding or not.</summary>
    public RewrittenGraph WithLastColumn()
    {
        var last = Graph.Node.First(node => node.Output.Contains("/last"));
        Insert(last, new NodeProto { OpType = "Sub", Input = { last.Input[0], last.Input[0] }, Output = { "/last/zero" } });
        (last.OpType, last.Input[0]) = ("Add", "/last/zero");
        _model.ProducerName = "another";
        return this;
    }

    public RewrittenGraph Renamed(params (string From, string To)[] names)
    {
        foreach (var (from, to) in names)
        {
            foreach (var value in Graph.Input.Concat(Graph.Output)) value.Name = value.Name.Replace(from, to, StringComparison.Ordinal);
            foreach (var node in Graph.Node)
            {
                Rename(node.Input, from, to);
                Rename(node.Output, from, to);
            }
        }

        return this;
    }

    /// <summary>As an export without fused attention reads: keys and values grow by Concat.</summary>
    public RewrittenGraph WithPlainAttention()
    {
        foreach (var node in Attentions.ToList()) (node.OpType, node.Domain) = ("Concat", "");
        return this;
    }

    public RewrittenGraph WithoutCache()
    {
        foreach (var input in Graph.Input.Where(i => i.Name.StartsWith("past", StringComparison.Ordinal)).ToList()) Graph.Input.Remove(input);
        return this;
    }

    public RewrittenGraph WithInput(string name)
    {
        var input = Graph.Input[0].Clone();
        input.Name = name;
        Graph.Input.Add(input);
        return this;
    }

    private static NodeProto Cast(string from, string to, int type) => new()
    {
        OpType = "Cast", Name = $"cast {to}", Input = { from }, Output = { to },
        Attribute = { new AttributeProto { Name = "to", Type = AttributeProto.Types.AttributeType.Int, I = type } },
    };

    private static void Retype(IEnumerable<ValueInfoProto> values, string name, int type) =>
        values.First(v => v.Name == name).Type.TensorType.ElemType = type;

    private static void Replace(IList<string> names, string from, string to)
    {
        for (var i = 0; i < names.Count; i++) names[i] = names[i] == from ? to : names[i];
    }

    private static void Rename(IList<string> names, string from, string to)
    {
        for (var i = 0; i < names.Count; i++) names[i] = names[i].Replace(from, to, StringComparison.Ordinal);
    }

    private void Insert(NodeProto before, NodeProto node) => Graph.Node.Insert(Graph.Node.IndexOf(before), node);
}
