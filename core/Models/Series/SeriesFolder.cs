using System.Text.Json;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Models.Series;

/// <summary>Whether a folder's graph takes series: by r1-series.json, or by the graph's own states.</summary>
internal static class SeriesFolder
{

    private const string WindowField = "window", Steps = "steps", Stride = "stride", Pad = "pad", Axis = "axis", Input = "input", Output = "output";
    private const string StateField = "state", InputsField = "inputs", ScoreField = "score", Index = "index", Threshold = "threshold";
    private const string LabelsField = "labels";
    private const int MaxSteps = 1 << 20, MaxStateBytes = 64 << 20, MaxWindowBytes = 64 << 20;

    private static readonly string[] Fields = [WindowField, Input, StateField, InputsField, ScoreField, Threshold, LabelsField];

    /// <summary>Null where it takes none.</summary>
    /// <exception cref="InvalidModelException">r1-series.json says what the graph does not have.</exception>
    public static SeriesSettings? Read(string folder, TensorGraph graph)
    {
        var path = Path.Combine(folder, ModelFiles.SeriesFile);
        if (!File.Exists(path)) return OfGraph(graph);
        try
        {
            return Read(JsonFields.Load(path), graph);
        }
        catch (InvalidOperationException fault)
        {
            throw new InvalidModelException($"{path} has a \\u escape that is half of a surrogate pair.", fault);
        }
    }

    /// <summary>A graph with states and one other input besides, and nothing that would have to be said of it.</summary>
    private static SeriesSettings? OfGraph(TensorGraph graph)
    {
        var states = SeriesStates.Find(graph);
        if (states.Count == 0) return null;
        OnnxValue[] left = [.. graph.Inputs.Where(input => states.All(state => state.Initial.Name != input.Name))];
        if (left is not [{ Dimensions.Count: >= 2 } only] || !IsReal(only)) return null;
        return new SeriesSettings
        {
            Input = only.Name, Type = TensorGraph.TypeOf(only), EventShape = Shape(only.Dimensions.Skip(1)), States = states,
            Score = OnlyScore(graph, states, null, []),
        };
    }

    private static SeriesSettings Read(JsonFields file, TensorGraph graph)
    {
        Check(file, Fields);
        var window = file.FindObject(WindowField);
        if (window is { } named) Check(named, [Input, Steps, Stride, Pad, Axis]);
        var states = file.Has(StateField) ? ReadStates(file, graph) : SeriesStates.Find(graph);
        var constants = SeriesConstants.Read(file, InputsField, graph);
        var holder = window ?? file;
        var input = ReadInput(holder, graph,
            [.. states.Select(state => state.Initial.Name), .. constants.Select(constant => constant.Name)]);
        if (window is null && states.Count == 0)
            throw file.Invalid(WindowField, "is missing, and the graph has no state that events could go into one by one");
        if (window is not null && file.Has(Input)) throw file.Invalid(Input, "stands in 'window' where there is one");
        if (input.Dimensions is not { Count: >= 2 and var rank } dimensions)
            throw holder.Invalid(Input, $"must name an input of two dimensions or more, with the batch first, but '{input.Name}' has not");
        if (dimensions[0].Size is not (null or 1))
            throw holder.Invalid(Input, $"must name an input whose first dimension is free or 1, but that of '{input.Name}' is {dimensions[0].Size}");
        var axis = window?.FindInteger(Axis, 1, 2) ?? 1;
        if (axis == 2 && rank != 3) throw holder.Invalid(Axis, $"can be 2 only for [batch, values, steps], but '{input.Name}' has {rank} dimensions");
        var shape = Shape(dimensions.Where((_, at) => at > 0 && (window is null || at != axis)));
        if (window is not null && shape.Contains(-1))
            throw holder.Invalid(Input, $"must name an input whose events have a fixed size, but '{input.Name}' leaves a dimension free");
        SeriesSettings settings = new()
        {
            Input = input.Name, Type = TensorGraph.TypeOf(input), EventShape = shape, States = states, Constants = constants,
            Window = window is { } fields ? ReadWindow(fields, dimensions[axis].Size, input.Name, axis) : null,
            Score = ReadScore(file, graph, states),
        };
        return settings.Window is { } one && (long)one.Steps * settings.EventSize!.Value * TensorTypes.Size(settings.Type) > MaxWindowBytes
            ? throw holder.Invalid(Steps, $"makes windows of more than {MaxWindowBytes >> 20} MiB") : settings;
    }

    private static WindowSettings ReadWindow(JsonFields window, long? given, string input, int axis)
    {
        var steps = window.FindInteger(Steps, 1, MaxSteps);
        if (steps is null && given is null) throw window.Invalid(Steps, $"is missing, and the graph leaves the steps of '{input}' free");
        if (steps is not null && given is not null && steps != given)
            throw window.Invalid(Steps, $"is {steps}, but '{input}' takes {given} steps");
        var all = steps ?? (given is >= 1 and <= MaxSteps ? (int)given : throw window.Invalid(Input, $"names an input of {given} steps"));
        return new WindowSettings(all, window.FindInteger(Stride, 1, all) ?? 1, window.FindInteger(Pad, 0, all - 1) ?? 0, axis);
    }

    private static OnnxValue ReadInput(JsonFields holder, TensorGraph graph, IReadOnlyCollection<string> taken)
    {
        OnnxValue[] left = [.. graph.Inputs.Where(one => !taken.Contains(one.Name))];
        var names = string.Join(", ", left.Select(one => $"'{one.Name}'"));
        var name = holder.FindString(Input) ?? (left is [var only] ? only.Name
            : throw holder.Invalid(Input, $"is missing, and the graph has not one input for it but {(left.Length == 0 ? "none" : names)}"));
        var input = Array.Find(left, one => one.Name == name) ?? throw holder.Invalid(Input, $"is '{name}', which is none of {names}");
        if (Array.Find(left, one => one.Name != name) is { } other)
            throw holder.Invalid(Input, $"leaves '{other.Name}' without a value: name it in '{StateField}' or '{InputsField}'");
        return IsReal(input) ? input
            : throw holder.Invalid(Input, $"must name an input of FP32 or FP64, but '{name}' is {TensorTypes.Name(TensorGraph.TypeOf(input))}");
    }

    private static List<StateSettings> ReadStates(JsonFields file, TensorGraph graph)
    {
        if (file.Find(StateField) is not { ValueKind: JsonValueKind.Array } list)
            throw file.Invalid(StateField, "must be a list of {\"input\", \"output\"}");
        List<StateSettings> states = [];
        foreach (var one in list.EnumerateArray())
        {
            if (one.ValueKind != JsonValueKind.Object || one.EnumerateObject().Any(field => field.Name is not (Input or Output))
                || Text(one, Input) is not { } input || Text(one, Output) is not { } output)
                throw file.Invalid(StateField, "must be a list of {\"input\", \"output\"}, each with two names");
            states.Add(SeriesStates.Of(graph, input, output, out var fault) ?? throw file.Invalid(StateField, fault!));
        }

        if (states.DistinctBy(state => state.Initial.Name).Count() < states.Count || states.DistinctBy(state => state.Output).Count() < states.Count)
            throw file.Invalid(StateField, "names an input or an output twice");
        return states.Sum(state => (long)state.Initial.Data.Length) > MaxStateBytes
            ? throw file.Invalid(StateField, $"names states of more than {MaxStateBytes >> 20} MiB") : states;
    }

    private static string? Text(JsonElement value, string name) =>
        value.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static ScoreSettings? ReadScore(JsonFields file, TensorGraph graph, IReadOnlyList<StateSettings> states)
    {
        var threshold = file.FindNumber(Threshold, double.MinValue, double.MaxValue);
        IReadOnlyList<string> labels = file.Find(LabelsField) switch
        {
            null => [],
            { ValueKind: JsonValueKind.Array } list when list.EnumerateArray().All(one => one.ValueKind == JsonValueKind.String) =>
                [.. list.EnumerateArray().Select(one => one.GetString()!)],
            _ => throw file.Invalid(LabelsField, "must be a list of names"),
        };
        if (file.FindObject(ScoreField) is not { } score)
        {
            return OnlyScore(graph, states, threshold, labels) is { } only ? only : threshold is null && labels.Count == 0 ? null
                : throw file.Invalid(ScoreField, labels.Count == 0 ? "is missing, and the graph has not one output of a single number for it"
                    : $"is missing, and the graph has not one output of as many numbers as there are labels, {labels.Count}");
        }

        Check(score, [Output, Index]);
        var name = score.String(Output);
        if (graph.Outputs.FirstOrDefault(one => one.Name == name) is not { } output || !IsReal(output))
            throw score.Invalid(Output, $"must name an output of FP32 or FP64, which '{name}' is not");
        var size = Elements(output);
        var index = score.FindInteger(Index, 0) ?? 0;
        if (index >= size) throw score.Invalid(Index, $"is {index}, but '{name}' has {size} numbers");
        return labels.Count == 0 || size is null || labels.Count == size ? new ScoreSettings(name, index, threshold, labels)
            : throw file.Invalid(LabelsField, $"has {labels.Count} names, but '{name}' has {size} numbers");
    }

    /// <summary>The score of a graph that gives one number and nothing else but states.</summary>
    private static ScoreSettings? OnlyScore(TensorGraph graph, IReadOnlyList<StateSettings> states, double? threshold, IReadOnlyList<string> labels)
    {
        OnnxValue[] left = [.. graph.Outputs.Where(output => states.All(state => state.Output != output.Name))];
        return left is [var only] && IsReal(only) && Elements(only) is { } size && size == Math.Max(1, labels.Count)
            ? new ScoreSettings(only.Name, 0, threshold, labels) : null;
    }

    private static bool IsReal(OnnxValue value) => TensorGraph.TypeOf(value) is TensorType.Float32 or TensorType.Float64;

    /// <summary>Numbers of one row; null where they are not known.</summary>
    private static long? Elements(OnnxValue value) =>
        value.Dimensions is { } dimensions && dimensions.Skip(1).All(one => one.Size is not null)
            ? Tensor.Elements([.. dimensions.Skip(1).Select(one => one.Size!.Value)]) : null;

    private static long[] Shape(IEnumerable<OnnxDimension> dimensions) => [.. dimensions.Select(one => one.Size ?? -1)];

    private static void Check(JsonFields fields, string[] known)
    {
        if (fields.Names.FirstOrDefault(name => !known.Contains(name, StringComparer.Ordinal)) is { } unknown)
            throw fields.Invalid(unknown, $"is unknown; there can be {string.Join(", ", known)}");
    }
}
