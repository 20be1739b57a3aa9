using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.ML.Tokenizers;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Tests.ModelBuilder.Tensors;

/// <summary>Models that came with the tests' packages.</summary>
internal static class PackagedModels
{
    /// <summary>ResNet18's input, and how many numbers it makes of a picture.</summary>
    public const string Picture = "Input247";
    public const int PictureVector = 512;

    /// <summary>Numbers that MiniLM makes of a token.</summary>
    public const int TextVector = 384;

    /// <summary>An image network for vectors, [1, 3, 224, 224] to [1, 512, 1, 1], of operator set 8.</summary>
    public static string ResNet18 => Metadata("ResNet18");

    /// <summary>Writes MiniLM-L6, an encoder of sentences, into a folder, which then has model.onnx and vocab.txt.</summary>
    public static void ExtractMiniLm(string folder)
    {
        var library = Assembly.LoadFrom(Metadata("MiniLm"));
        foreach (var name in library.GetManifestResourceNames())
        {
            using var resource = library.GetManifestResourceStream(name)!;
            using var file = File.Create(Path.Combine(folder, string.Join('.', name.Split('.')[^2..])));
            resource.CopyTo(file);
        }
    }

    /// <summary>A sentence as MiniLM reads it, one row.</summary>
    public static IReadOnlyList<Tensor> Tokens(BertTokenizer tokenizer, string text) =>
        Tokens([[.. tokenizer.EncodeToIds(text).Select(id => (long)id)]]);

    /// <summary>Rows of equal length.</summary>
    public static IReadOnlyList<Tensor> Tokens(IReadOnlyList<long[]> rows) =>
    [
        Integers("input_ids", rows, id => id), Integers("attention_mask", rows, _ => 1), Integers("token_type_ids", rows, _ => 0),
    ];

    /// <summary>The mean of a sentence's token vectors.</summary>
    public static float[] Mean(float[] tokens)
    {
        var mean = new float[TextVector];
        for (var i = 0; i < tokens.Length; i++) mean[i % TextVector] += tokens[i] * TextVector / tokens.Length;
        return mean;
    }

    private static Tensor Integers(string name, IReadOnlyList<long[]> rows, Func<long, long> number) =>
        new(name, TensorType.Int64, [rows.Count, rows[0].Length],
            MemoryMarshal.AsBytes<long>(rows.SelectMany(row => row).Select(number).ToArray()).ToArray());

    private static string Metadata(string key) =>
        typeof(PackagedModels).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(one => one.Key == key).Value!;
}
