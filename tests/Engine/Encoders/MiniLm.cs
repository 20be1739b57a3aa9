using System.Reflection;

namespace R1Serverless.Tests.Engine.Encoders;

/// <summary>MiniLM-L6, an encoder of sentences that came with the tests' packages, laid out as its authors publish it. Written once per test
/// run.</summary>
internal static class MiniLm
{
    private static readonly Lazy<string> Written = new(Write);
    private static readonly Lazy<string[]> Tokens = new(() =>
    {
        using var reader = new StreamReader(Resource("vocab.txt"));
        return reader.ReadToEnd().ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
    });

    /// <summary>By id.</summary>
    public static string[] Vocabulary => Tokens.Value;

    /// <summary>A model folder.</summary>
    public static string Path => Written.Value;

    private static string Write()
    {
        var folder = Directory.CreateTempSubdirectory("r1-minilm-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        foreach (var file in (string[])["model.onnx", "vocab.txt"])
        {
            using var resource = Resource(file);
            using var copy = File.Create(System.IO.Path.Combine(folder, file));
            resource.CopyTo(copy);
        }

        SentenceFiles.Write(folder, normalizes: true, maxLength: 256, """{"pooling_mode_mean_tokens":true,"word_embedding_dimension":384}""");
        File.WriteAllText(System.IO.Path.Combine(folder, "config.json"),
            """{"architectures":["BertModel"],"model_type":"bert","max_position_embeddings":512}""");
        return folder;
    }

    private static Stream Resource(string file)
    {
        var library = Assembly.LoadFile(
            typeof(MiniLm).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(one => one.Key == "MiniLm").Value!);
        return library.GetManifestResourceStream(
            library.GetManifestResourceNames().Single(name => name.EndsWith(file, StringComparison.Ordinal)))!;
    }
}
