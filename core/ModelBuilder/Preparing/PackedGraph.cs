using System.Globalization;
using Google.Protobuf;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Preparing;

/// <summary>
/// A graph as ONNX Runtime writes it with packed weights: each weight stands in its file twice, plain and packed, and the packed form has a key, the
/// kernel's name and a hash of what packing gives. A session packs the plain weight whatever is there, looks the hash up, and uses the packed form of
/// the file, mapped into memory. Reading the plain form costs half of the disk's time. So the plain forms of large weights are given up here for
/// windows of one hole in the file, each with its one set byte at another place: packing a hole needs no disk. The key then is the hole's. A session
/// that is given the same hole in memory needs not even map it; as it does not look at those weights in the file then, their packed forms are listed
/// with another constant, which does no harm: they are looked up by key.
/// </summary>
internal sealed class PackedGraph
{
    /// <summary>A page: what is mapped begins at one.</summary>
    private const long Page = 4096;

    private const string Location = "location", Offset = "offset", Length = "length", Packed = "prepacked_";

    /// <summary>Weights below this keep their plain form.</summary>
    private const long Smallest = 1 << 20;

    private readonly ModelProto _model;
    private readonly string _data;
    private readonly List<TensorProto> _replaced = [];

    private PackedGraph(ModelProto model, string data) => (_model, _data) = (model, data);

    /// <summary>Bytes of the hole: room for the largest window, and a page for each to begin at.</summary>
    public long HoleBytes { get; private init; }

    /// <summary>The hole, for sessions; null where nothing is replaced.</summary>
    public PreparedHole? Hole =>
        HasPlaceholders ? new(HoleBytes, Mark,
            [.. _replaced.Select((tensor, i) => new HoleWindow(tensor.Name, tensor.DataType, [.. tensor.Dims], i * Page))]) : null;

    /// <summary>Whether any weight is large enough to be given up.</summary>
    public bool HasPlaceholders => _replaced.Count > 0;

    /// <summary>Where in the hole the set byte is: inside every window, at another place in each.</summary>
    private long Mark => _replaced.Count * Page;

    /// <param name="graph">Written by ONNX Runtime with packed weights.</param>
    /// <param name="data">The path of the weights' file.</param>
    public static PackedGraph Read(string graph, string data)
    {
        var model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(graph));
        var readers = model.Graph.Node.SelectMany(node => node.Input.Select(input => (Input: input, node.OpType)))
            .ToLookup(one => one.Input, one => one.OpType, StringComparer.Ordinal);
        // The largest first, while the marks of all fit into the smallest.
        List<TensorProto> replaced = [];
        foreach (var tensor in model.Graph.Initializer.Where(t => IsOnlyPacked(t, readers[t.Name]) && Number(t, Length) >= Smallest)
            .OrderByDescending(t => Number(t, Length)))
        {
            if ((replaced.Count + 1) * Page >= Number(tensor, Length)) break;
            replaced.Add(tensor);
        }

        var hole = replaced.Count == 0 ? 0 : Number(replaced[0], Length) + ((replaced.Count + 1) * Page);
        var packed = new PackedGraph(model, data) { HoleBytes = hole };
        packed._replaced.AddRange(replaced);
        return packed;
    }

    /// <summary>Writes the graph with windows of a hole, in a file of its own, and nothing packed: packing it gives the keys.</summary>
    public void WriteWithPlaceholders(string graph, string hole)
    {
        var model = _model.Clone();
        var windows = Windows();
        foreach (var tensor in model.Graph.Initializer)
        {
            foreach (var entry in tensor.ExternalData.Where(IsPacked).ToList()) tensor.ExternalData.Remove(entry);
            if (!windows.TryGetValue(tensor.Name, out var at)) continue;
            Set(tensor, Location, Path.GetFileName(hole));
            Set(tensor, Offset, at);
        }

        using (var file = File.Create(hole)) Dig(file, 0);
        File.WriteAllBytes(graph, model.ToByteArray());
    }

    /// <summary>Writes the graph with the keys of its replaced form, and the weights' file with all that is left of it, and the hole.</summary>
    /// <param name="keys">The graph that packing the replaced form gave.</param>
    /// <exception cref="InvalidDataException">Two weights have one key, or one has none: they could not be told apart; or no constant is left to list
    /// packed forms with.</exception>
    public void WriteMerged(string keys, string graph, string weights)
    {
        var keyed = ModelProto.Parser.ParseFrom(File.ReadAllBytes(keys)).Graph.Initializer.ToDictionary(t => t.Name, StringComparer.Ordinal);
        Write(graph, weights, Windows(), keyed);
    }

    /// <summary>Writes the graph as it is, plain and packed forms in pages of their own.</summary>
    public void WriteWhole(string graph, string weights) => Write(graph, weights, [], []);

    private void Write(string graph, string weights, Dictionary<string, long> windows, Dictionary<string, TensorProto> keyed)
    {
        var model = _model.Clone();
        HashSet<string> taken = new(StringComparer.Ordinal);
        using var source = File.OpenRead(_data);
        using var target = File.Create(weights);
        foreach (var tensor in model.Graph.Initializer.Where(t => t.ExternalData.Count > 0))
        {
            if (!windows.ContainsKey(tensor.Name)) Set(tensor, Offset, Copy(source, target, Number(tensor, Offset), Number(tensor, Length)));
            Set(tensor, Location, Path.GetFileName(weights));
            foreach (var entry in tensor.ExternalData.Where(IsPacked))
            {
                // KEY|offset;bytes;alignment|…
                var parts = entry.Value.Split('|');
                if (windows.ContainsKey(tensor.Name))
                {
                    parts[0] = keyed.GetValueOrDefault(tensor.Name)?.ExternalData.FirstOrDefault(e => e.Key == entry.Key)?.Value.Split('|')[0]
                        ?? throw new InvalidDataException($"{tensor.Name} has no key.");
                    if (!taken.Add(parts[0])) throw new InvalidDataException($"{tensor.Name} has another's key.");
                }

                for (var i = 1; i < parts.Length; i++)
                {
                    var numbers = parts[i].Split(';');
                    numbers[0] =
                        Text(Copy(source, target, long.Parse(numbers[0], CultureInfo.InvariantCulture),
                            long.Parse(numbers[1], CultureInfo.InvariantCulture)));
                    parts[i] = string.Join(';', numbers);
                }

                entry.Value = string.Join('|', parts);
            }
        }

        if (windows.Count > 0)
        {
            var hole = (target.Length + Page - 1) / Page * Page;
            foreach (var tensor in model.Graph.Initializer.Where(t => windows.ContainsKey(t.Name))) Set(tensor, Offset, hole + windows[tensor.Name]);
            Dig(target, hole);
        }

        target.Flush(flushToDisk: true);
        Order(model.Graph);
        if (windows.Count > 0) ListElsewhere(model.Graph, windows);
        File.WriteAllBytes(graph, model.ToByteArray());
    }

    private static void Order(GraphProto graph)
    {
        var sizes = graph.Initializer.Where(HasPacked).ToDictionary(t => t.Name, t => Number(t, Length), StringComparer.Ordinal);
        var nodes = graph.Node.ToLookup(node => node.Input.Any(sizes.ContainsKey));
        NodeProto[] packed = [.. nodes[true]], others = [.. nodes[false]];
        var order = PackOrder.Of([.. packed.Select(node => node.Input.Sum(input => sizes.GetValueOrDefault(input)))]);
        graph.Node.Clear();
        graph.Node.AddRange([.. order.Select(i => packed[i]), .. others]);
    }

    /// <summary>Packed forms of replaced weights with the first constant that is in the file and has none.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    private static void ListElsewhere(GraphProto graph, Dictionary<string, long> windows)
    {
        var other = graph.Initializer.FirstOrDefault(t => t.ExternalData.Count > 0 && !HasPacked(t))
            ?? throw new InvalidDataException("No constant in the file is without a packed form.");
        var listed = 0;
        foreach (var tensor in graph.Initializer.Where(t => windows.ContainsKey(t.Name)))
        {
            foreach (var entry in tensor.ExternalData.Where(IsPacked).ToList())
            {
                tensor.ExternalData.Remove(entry);
                other.ExternalData.Add(new StringStringEntryProto { Key = $"{Packed}{listed++}", Value = entry.Value });
            }
        }
    }

    /// <summary>Whether every node that reads it reads its packed form. The tied embedding of a floating-point variant is looked up in its plain form
    /// too.</summary>
    private static bool IsOnlyPacked(TensorProto tensor, IEnumerable<string> readers)
    {
        // OPERATOR+hash|…
        string[] packers = [.. tensor.ExternalData.Where(IsPacked).Select(entry => entry.Value.Split('+')[0])];
        return packers.Length > 0 && readers.All(packers.Contains);
    }

    private static bool HasPacked(TensorProto tensor) => tensor.ExternalData.Any(IsPacked);

    private static bool IsPacked(StringStringEntryProto entry) => entry.Key.StartsWith(Packed, StringComparison.Ordinal);

    private static long Number(TensorProto tensor, string key) =>
        long.Parse(tensor.ExternalData.First(e => e.Key == key).Value, CultureInfo.InvariantCulture);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static void Set(TensorProto tensor, string key, long value) => Set(tensor, key, Text(value));

    private static void Set(TensorProto tensor, string key, string value)
    {
        if (tensor.ExternalData.FirstOrDefault(e => e.Key == key) is { } entry) entry.Value = value;
        else tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
    }

    /// <summary>To the next page of the target; where that was.</summary>
    private static long Copy(FileStream source, FileStream target, long offset, long length)
    {
        var at = target.Position = (target.Position + Page - 1) / Page * Page;
        source.Position = offset;
        var buffer = new byte[1 << 20];
        while (length > 0)
        {
            var read = source.Read(buffer, 0, (int)Math.Min(length, buffer.Length));
            if (read == 0) throw new InvalidDataException($"{source.Name} ends too early.");
            target.Write(buffer, 0, read);
            length -= read;
        }

        return at;
    }

    /// <summary>Where each window begins, from the hole's start.</summary>
    private Dictionary<string, long> Windows() =>
        (Hole?.Windows ?? []).ToDictionary(window => window.Name, window => window.At, StringComparer.Ordinal);

    /// <summary>A hole takes no room on disks whose file systems know them.</summary>
    private void Dig(FileStream file, long at)
    {
        file.SetLength(at + HoleBytes);
        file.Position = at + Mark;
        file.WriteByte(1);
    }
}
