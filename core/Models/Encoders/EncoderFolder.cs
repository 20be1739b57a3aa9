using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Models.Encoders;

/// <summary>Whether a folder's graph is an encoder of texts, and which: by Hugging Face's config.json and sentence-transformers' files.</summary>
internal static class EncoderFolder
{
    private const string InputIds = "input_ids", WholePipeline = "sentence_embedding", LastState = "last_hidden_state", Logits = "logits";

    /// <summary>Of BERT and most that follow it, where nothing says how long a text may be.</summary>
    private const int UsualLength = 512;

    /// <summary>What tokenizer_config.json has where nobody thought of a length is far above it.</summary>
    private const int LongestLength = 1 << 24;

    private static readonly string[] Taken = [InputIds, "attention_mask", "token_type_ids", "position_ids"];

    /// <summary>Their first positions count as padding: config.json's number is of those too.</summary>
    private static readonly string[] Offset = ["roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer"];

    /// <summary>What the folder is asked for with texts; null where it is no encoder, or one that can't be served exactly.</summary>
    /// <param name="refusal">Why it can't, in words; null where it is none at all.</param>
    /// <exception cref="InvalidModelException">A file is damaged.</exception>
    public static EncoderSettings? Read(string folder, TensorGraph graph, out string? refusal)
    {
        refusal = null;
        if (graph.Inputs.All(input => input.Name != InputIds)) return null;
        var tokenizer = Tokenizer(folder);
        refusal = tokenizer is null
            ? $"it lacks {ModelFiles.TokenizerFile} or {ModelFiles.VocabularyFile}, by which texts become tokens" : Refusal(graph);
        if (refusal is not null) return null;
        var config = Find(folder, ModelFiles.ConfigFile);
        var length = MaxLength(folder, config);
        try
        {
            return IsFor(config, "ForSequenceClassification")
                ? Classifier(config!.Value, graph, tokenizer!, length) : Embedder(folder, config, graph, tokenizer!, length);
        }
        catch (UnservableException fault)
        {
            refusal = fault.Message;
            return null;
        }
    }

    private static string? Tokenizer(string folder) =>
        ((string[])[ModelFiles.TokenizerFile, ModelFiles.VocabularyFile]).FirstOrDefault(file => File.Exists(Path.Combine(folder, file)));

    internal static JsonFields? Find(string folder, string file) =>
        Path.Combine(folder, file) is var path && File.Exists(path) ? JsonFields.Load(path) : null;

    private static string? Refusal(TensorGraph graph)
    {
        foreach (var input in graph.Inputs)
        {
            if (!Taken.Contains(input.Name, StringComparer.Ordinal))
                return $"its graph takes '{input.Name}', which is none of {string.Join(", ", Taken)}";
            if (TensorGraph.TypeOf(input) is not (TensorType.Int64 or TensorType.Int32))
                return $"'{input.Name}' of its graph is neither INT64 nor INT32";
            if (input.Dimensions is not [_, { } sequence]) return $"'{input.Name}' of its graph is not [batch, tokens]";
            if (sequence.Size is { } size)
                return $"'{input.Name}' of its graph has the fixed length {size}, for which texts would have to be padded";
        }

        return null;
    }

    /// <summary>Whether the model was made for a purpose, by the name of its class.</summary>
    internal static bool IsFor(JsonFields? config, string purpose) => config?.Find("architectures") is { ValueKind: JsonValueKind.Array } names
        && names.EnumerateArray().Any(name => name.ToString().Contains(purpose, StringComparison.Ordinal));

    private static int MaxLength(string folder, JsonFields? config)
    {
        var positions = config?.FindInteger("max_position_embeddings", 1);
        if (positions is { } all && Offset.Contains(config!.Value.FindString("model_type"), StringComparer.Ordinal))
            positions = all - (config.Value.FindInteger("pad_token_id", 0) ?? 1) - 1;
        var longest = positions ?? (config is null ? UsualLength : int.MaxValue);
        if (Find(folder, ModelFiles.LengthFile)?.FindInteger("max_seq_length", 1) is { } own) return Math.Min(own, longest);
        var tokenizer = Find(folder, ModelFiles.TokenizerConfigFile)?.FindNumber("model_max_length", 1, double.MaxValue);
        if (tokenizer < LongestLength) longest = Math.Min(longest, (int)tokenizer.Value);
        return longest == int.MaxValue ? UsualLength : longest;
    }

    private static EncoderSettings Classifier(JsonFields config, TensorGraph graph, string tokenizer, int length)
    {
        var logits = graph.Outputs.FirstOrDefault(output => output.Name == Logits) ?? (graph.Outputs is [var only] ? only : null);
        if (logits?.Dimensions is not { Count: 2 } shape || !IsReal(logits))
            throw new UnservableException("config.json has it classify texts, but its graph gives no scores [batch, labels]");
        var labels = Labels(config, shape[1].Size);
        return new EncoderSettings
        {
            Task = labels.Length == 1 ? TextTask.Rank : TextTask.Classify,
            Output = logits.Name,
            MaxLength = length,
            TokenizerFile = tokenizer,
            Labels = labels,
            Activation = config.FindString("problem_type") switch
            {
                "regression" when labels.Length > 1 => ScoreActivation.None,
                "multi_label_classification" => ScoreActivation.Sigmoid,
                _ => labels.Length == 1 ? ScoreActivation.Sigmoid : ScoreActivation.Softmax,
            },
        };
    }

    /// <summary>The labels of config.json by number; made up where it names none.</summary>
    /// <param name="scores">How many the graph gives; null where it does not say.</param>
    /// <exception cref="UnservableException">There are others than the graph gives scores.</exception>
    internal static string[] Labels(JsonFields config, long? scores)
    {
        var named = config.FindObject("id2label");
        var count = scores ?? named?.Names.Count ?? config.FindInteger("num_labels", 1) ?? 2;
        string[] labels = [.. Enumerable.Range(0, (int)count).Select(id => named?.FindString($"{id}") ?? $"LABEL_{id}")];
        return labels.Length > 0 && (named is null || named.Value.Names.Count == labels.Length) ? labels
            : throw new UnservableException($"config.json names {named?.Names.Count ?? 0} labels, but its graph gives {count} scores");
    }

    private static EncoderSettings Embedder(string folder, JsonFields? config, TensorGraph graph, string tokenizer, int length)
    {
        var modules = SentenceModules.Read(folder);
        var settings = new EncoderSettings
        {
            Task = TextTask.Embed, Output = "", MaxLength = length, TokenizerFile = tokenizer, Prompt = modules?.Prompt ?? "",
            Normalizes = modules?.Normalizes ?? false,
        };
        // What its export calls so has been through every module.
        if (graph.Outputs.FirstOrDefault(output => output.Name == WholePipeline && IsVector(output)) is { } whole)
            return settings with { Output = whole.Name, Dimensions = (int?)whole.Dimensions![1].Size };
        if (modules?.Refusal is { } refusal) throw new UnservableException(refusal);
        var states = graph.Outputs.FirstOrDefault(output => output.Name == LastState) ?? graph.Outputs[0];
        if (IsReal(states) && states.Dimensions is [_, _, var width])
        {
            var poolings = modules?.Poolings ?? [Pooling.Mean];
            // Many exports leave it free in the graph, though a model has but one.
            var size = (int?)width.Size ?? modules?.Width ?? config?.FindInteger("hidden_size", 1);
            return settings with { Output = states.Name, Poolings = poolings, Dimensions = size * poolings.Count };
        }

        return IsVector(states) ? settings with { Output = states.Name, Dimensions = (int?)states.Dimensions![1].Size }
            : throw new UnservableException($"'{states.Name}' of its graph is neither [batch, tokens, numbers] nor [batch, numbers]");
    }

    private static bool IsVector(OnnxValue value) => value.Dimensions is { Count: 2 } && IsReal(value);

    internal static bool IsReal(OnnxValue value) => TensorGraph.TypeOf(value) is TensorType.Float32 or TensorType.Float16;
}

/// <summary>Why a folder's texts or images can't be served, to be said after "takes no texts: ".</summary>
internal sealed class UnservableException(string message) : Exception(message);
