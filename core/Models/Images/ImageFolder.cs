using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Models.Images;

/// <summary>Whether a folder's graph reads images, and how: by preprocessor_config.json, config.json and the labels beside it.</summary>
internal static class ImageFolder
{
    private const int Channels = 3;

    private static readonly string[] Vectors = ["image_embeds", "pooler_output"];

    /// <summary>How images are read; null where the folder does not say, or as it can't be done exactly.</summary>
    /// <param name="path">Of the graph's file.</param>
    /// <param name="refusal">Why it can't, in words; null where nothing is said of images at all.</param>
    /// <exception cref="InvalidModelException">A file is damaged.</exception>
    public static ImageSettings? Read(string folder, string path, TensorGraph graph, out string? refusal)
    {
        refusal = null;
        if (EncoderFolder.Find(folder, ModelFiles.ImageFile) is not { } file) return null;
        try
        {
            var steps = ImageStepsReader.Read(file);
            var input = Input(graph);
            var isLast = IsChannelsLast(input);
            CheckSize(input, isLast, steps);
            return new ImageSettings { Input = input.Name, IsChannelsLast = isLast, Steps = steps, Output = Output(folder, path, graph) };
        }
        catch (UnservableException fault)
        {
            refusal = fault.Message;
            return null;
        }
    }

    private static OnnxValue Input(TensorGraph graph)
    {
        if (graph.Inputs is not [var input])
            throw new UnservableException($"its graph has {graph.Inputs.Count} inputs, and images are for one that takes nothing else");
        if (TensorGraph.TypeOf(input) is not (TensorType.Float32 or TensorType.Float16 or TensorType.UInt8))
            throw new UnservableException($"'{input.Name}' of its graph is none of FP32, FP16, UINT8");
        if (input.Dimensions is not { Count: 4 })
            throw new UnservableException($"'{input.Name}' of its graph has no four dimensions, as [batch, {Channels}, height, width] has");
        return input.Dimensions[0].Size is null or 1 ? input
            : throw new UnservableException($"the first dimension of '{input.Name}' is fixed to {input.Dimensions[0].Size}: images come one by one");
    }

    /// <summary>Where no dimension says so, the channels come first, as in every export of transformers.</summary>
    private static bool IsChannelsLast(OnnxValue input)
    {
        var (first, last) = (input.Dimensions![1].Size, input.Dimensions[3].Size);
        if (first is null or Channels) return first is null && last == Channels;
        return last == Channels ? true
            : throw new UnservableException($"'{input.Name}' of its graph has no dimension of {Channels} channels, but {first} or {last ?? -1}");
    }

    private static void CheckSize(OnnxValue input, bool isLast, ImageSteps steps)
    {
        if (TensorGraph.TypeOf(input) == TensorType.UInt8 && !steps.KeepsBytes)
            throw new UnservableException(
                $"'{input.Name}' of its graph is UINT8, but {ModelFiles.ImageFile} has do_rescale or do_normalize, which make other numbers");
        var (height, width) = isLast ? (input.Dimensions![1], input.Dimensions[2]) : (input.Dimensions![2], input.Dimensions[3]);
        if (steps.Size is { } size && ((height.Size ?? size.Height) != size.Height || (width.Size ?? size.Width) != size.Width))
            throw new UnservableException(
                $"{ModelFiles.ImageFile} makes images of {size}, but '{input.Name}' of its graph takes {width.Size ?? -1} × {height.Size ?? -1}");
    }

    /// <summary>Labels where the folder names some, or else the vector; null where there is neither.</summary>
    private static OutputSettings? Output(string folder, string path, TensorGraph graph)
    {
        var (config, labels) = (EncoderFolder.Find(folder, ModelFiles.ConfigFile), (IReadOnlyList<string>?)Labels(folder));
        if (labels is null && !EncoderFolder.IsFor(config, "ForImageClassification")
            && (config?.Find("architectures") is not null || config?.FindObject("id2label") is null))
            return Vector(graph) is { } vector
                ? new OutputSettings { Task = TextTask.Embed, Output = vector.Name, Dimensions = (int?)vector.Dimensions![1].Size } : null;
        if ((graph.Outputs.FirstOrDefault(output => output.Name == "logits") ?? Only(graph)) is not { } scores || !IsVector(scores))
            throw new UnservableException("it has labels, but its graph gives no scores [batch, labels]");
        var count = scores.Dimensions![1].Size;
        labels ??= EncoderFolder.Labels(config!.Value, count);
        if (count is not null && count != labels.Count)
            throw new UnservableException($"its file of labels has {labels.Count} lines, but its graph gives {count} scores");
        return new OutputSettings
        {
            Task = TextTask.Classify, Output = scores.Name, Labels = labels, Activation = Activation(config, path, scores.Name),
        };
    }

    private static ScoreActivation Activation(JsonFields? config, string path, string scores) =>
        // Scores that the graph has made probabilities of itself.
        OnnxFile.Read(path).Nodes.Any(node => node.Type is "Softmax" or "Sigmoid" && node.Outputs.Contains(scores, StringComparer.Ordinal))
            ? ScoreActivation.None
        : config?.FindString("problem_type") == "multi_label_classification" ? ScoreActivation.Sigmoid : ScoreActivation.Softmax;

    private static OnnxValue? Vector(TensorGraph graph) =>
        graph.Outputs.FirstOrDefault(output => Vectors.Contains(output.Name, StringComparer.Ordinal) && IsVector(output))
        ?? (Only(graph) is { } only && IsVector(only) ? only : null);

    private static OnnxValue? Only(TensorGraph graph) => graph.Outputs is [var only] ? only : null;

    /// <summary>[batch, numbers], or what a pooling leaves: [batch, numbers, 1, 1].</summary>
    private static bool IsVector(OnnxValue value) =>
        value.Dimensions is { Count: >= 2 } shape && shape.Skip(2).All(dimension => dimension.Size == 1) && EncoderFolder.IsReal(value);

    /// <summary>One label a line, the first of score 0; null where there is no such file.</summary>
    private static List<string>? Labels(string folder)
    {
        var path = ModelFiles.LabelFiles.Select(file => Path.Combine(folder, file)).FirstOrDefault(File.Exists);
        if (path is null) return null;
        List<string> labels = [.. File.ReadLines(path).Select(line => line.Trim())];
        while (labels is [.., ""]) labels.RemoveAt(labels.Count - 1);
        return labels.Count > 0 && !labels.Contains("") ? labels : throw new InvalidModelException($"{path} must have a label on each line.");
    }
}
