using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Folders;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>Vectors of texts by an encoder: those that its folder describes, with the length 1.</summary>
internal sealed class EncoderVectors : EncodedVectors
{
    private readonly TextSamples _samples;
    private readonly EncoderSettings _settings;
    private readonly bool _truncates;

    /// <param name="truncates">Whether texts that are too long are cut at their end.</param>
    /// <exception cref="InvalidModelException">It is no encoder, or one that has another task.</exception>
    public EncoderVectors(TextSamples samples, ModelFolder encoder, bool truncates)
        : base(samples, encoder, "ForSequenceClassification")
    {
        (_samples, _truncates) = (samples, truncates);
        _settings = encoder.Encoder is { Task: TextTask.Embed } settings ? settings : throw new InvalidModelException(
            encoder.EncoderRefusal is { } refusal ? $"{encoder.Name} takes no texts: {refusal}."
            : $"{encoder.Name} makes no vectors of texts: an encoder is needed, such as those for /v1/embeddings.");
    }

    public override string Description => $"vectors of texts by {Encoder.Name}";

    protected override int AtOnce => 256;

    public override SourceGraph Graph(Precision precision, string folder) => PooledGraph.Of(
        SourceGraph.Read(Encoder.GraphPath(Encoder.Manifest.Variants.First(variant => variant.Precision == precision))), _settings);

    protected override void WriteEncoder(string folder)
    {
        base.WriteEncoder(folder);
        if (File.Exists(Config)) File.Copy(Config, Path.Combine(folder, ModelFiles.ConfigFile));
    }

    protected override void WriteCompanions(string folder)
    {
        foreach (var file in ModelFiles.TokenizerFiles.Where(file => File.Exists(Path.Combine(Encoder.Path, file))))
            File.Copy(Path.Combine(Encoder.Path, file), Path.Combine(folder, file));
        File.WriteAllText(Path.Combine(folder, ModelFiles.LengthFile), $$"""{"max_seq_length":{{_settings.MaxLength}}}""");
    }

    protected override Task<Prompt.Texts> PromptAsync(int first, int count, CancellationToken cancellation) =>
        Task.FromResult(new Prompt.Texts(TextTask.Embed, [.. _samples.Texts.Skip(first).Take(count).Select(text => new TextInput(text))])
        {
            Truncation = _truncates ? TextTruncation.Right : TextTruncation.None,
        });

    protected override string Words(InferenceError error, string message) => error.Kind != InferenceErrorKind.ContextLengthExceeded ? message
        : $"{message[..message.IndexOf(':', StringComparison.Ordinal)]}: shorten it, or let such texts be cut with --truncate.";
}
