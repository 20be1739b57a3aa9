using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Api.OpenInference;

/// <summary>How models look through the Open Inference Protocol.</summary>
internal static class ModelMetadata
{
    /// <summary>A decoder's input and output; <see cref="Prompt"/> is another name of the input.</summary>
    public const string TextInput = "text_input", Prompt = "prompt", TextOutput = "text_output";

    /// <summary>A decoder's input, and the parameter, that asks for the answer in pieces.</summary>
    public const string Stream = "stream";

    /// <summary>The protocol's name for what runs here.</summary>
    public const string Platform = "onnx_onnxv1";

    /// <summary>Its extensions that this server speaks, by Triton's names.</summary>
    public static IReadOnlyList<string> Extensions { get; } = ["binary_tensor_data", "model_repository", "parameters", "schedule_policy"];

    /// <summary>Of an input that takes encoded images too, as MLServer's metadata says how an input may come.</summary>
    public static IReadOnlyDictionary<string, string> ImageParameters { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["content_type"] = "image/png, image/jpeg, image/webp", ["content_datatype"] = TensorTypes.Name(TensorType.Bytes),
    };

    private static readonly TensorSignature Decoder = new(
        [new TensorSpec(TextInput, TensorType.Bytes, [-1])], [new TensorSpec(TextOutput, TensorType.Bytes, [-1])]);

    public static TensorSignature Signature(ServedModel model) => model.Signature ?? Decoder;

    /// <summary>The versions that a request may name.</summary>
    public static IEnumerable<string> Versions(ServedModel model) =>
        model.Versions.Where(one => one.State == VersionState.Active).Select(one => one.Version);

    /// <summary>Why a request can't name this version; null where it can.</summary>
    public static string? Refusal(ServedModel model, string version) =>
        Versions(model).Contains(version, StringComparer.Ordinal) ? null
        : model.Versions is []
        ? $"The model '{InferLimits.Shorten(model.Id)}' has no versions here: leave '/versions/{InferLimits.Shorten(version)}' out."
        : $"The version '{InferLimits.Shorten(version)}' of '{InferLimits.Shorten(model.Id)}' does not serve; active is "
        + $"{string.Join(", ", Versions(model).DefaultIfEmpty("none"))}.";

    /// <summary>Triton's list of models: each with its versions, where it has any.</summary>
    public static IEnumerable<ListedModel> Index(IReadOnlyList<ServedModel> models, bool isReadyOnly) =>
        from model in models
        from listed in model.Versions is [] ? [new ListedModel(model.Id, null, ListedModel.Ready, Reason(model))]
            : model.Versions.Select(one => new ListedModel(model.Id, one.Version, State(one.State), one.Reason ?? ""))
        where !isReadyOnly || listed.State == ListedModel.Ready
        select listed;

    private static string Reason(ServedModel model) => model.Variants.Any(one => one.Loaded is not null) ? "" : "it is loaded when it is asked for";

    private static string State(VersionState state) => state switch
    {
        VersionState.Active => ListedModel.Ready,
        VersionState.Retiring => "UNLOADING",
        VersionState.Failed => "UNAVAILABLE",
        _ => "LOADING",
    };
}

/// <param name="Version">Null where the model has none.</param>
internal sealed record ListedModel(string Name, string? Version, string State, string Reason)
{
    public const string Ready = "READY";
}
