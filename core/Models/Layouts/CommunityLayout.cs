namespace R1Serverless.Models.Layouts;

/// <summary>The folders of Hugging Face's onnx-community: onnx/model.onnx and its siblings, with a suffix per number format, beside
/// config.json.</summary>
internal static class CommunityLayout
{
    /// <summary>What to do where none of the graphs of a decoder can be served.</summary>
    internal const string Advice = "`r1 model build <checkpoint>` makes one from the model's safetensors";

    private const string Folder = "onnx", Prefix = "model", Extension = ".onnx";

    /// <summary>Where two have the same precision, the earlier one is served.</summary>
    private static readonly string[] Suffixes = ["", "_fp16", "_int8", "_quantized", "_q8", "_uint8", "_q4", "_int4", "_q4f16", "_bnb4"];

    public static bool IsAt(string folder) => Graphs(folder).Any();

    /// <exception cref="InvalidModelException">A graph is damaged, or none can be served.</exception>
    public static ModelManifest Describe(string folder) =>
        ExternalVariants.Describe(folder, Graphs(folder), file => SharedCache.Refusal(file, GraphNames.Default), FolderLayout.Community, Advice);

    /// <summary>The place of a graph's file among its siblings; those of other names come last.</summary>
    public static int Rank(string file) =>
        Array.FindIndex(Suffixes, suffix => file == $"{Prefix}{suffix}{Extension}") is >= 0 and var at ? at : Suffixes.Length;

    private static IEnumerable<string> Graphs(string folder) =>
        Suffixes.Select(suffix => Path.Combine(Folder, $"{Prefix}{suffix}{Extension}")).Where(graph => File.Exists(Path.Combine(folder, graph)));
}
