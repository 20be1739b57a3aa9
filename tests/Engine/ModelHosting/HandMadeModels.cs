using R1Serverless.Abstractions;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Engine.ModelHosting;

/// <summary>Model folders whose variants all are the shipped model's FP32 graph, whatever they call themselves.</summary>
internal sealed class HandMadeModels : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("r1-variants-").FullName;

    /// <summary>A folder with variants of those precisions; <paramref name="change"/> makes of each what the test needs.</summary>
    public ModelFolder Make(string name, Func<ModelVariant, ModelVariant> change, params Precision[] precisions)
    {
        var source = TestModels.Nano;
        var path = Path.Combine(_root, name);
        Directory.CreateDirectory(path);
        foreach (var file in Directory.EnumerateFiles(source.Path)) File.Copy(file, Path.Combine(path, Path.GetFileName(file)));
        var fp32 = source.Manifest.Variants.Single(variant => variant.Precision == Precision.Fp32);
        var manifest =
            source.Manifest with
            {
                Name = name,
                Variants = [.. precisions.Select(precision => change(fp32 with { Precision = precision, Evaluations = [] }))]
            };
        manifest.Save(Path.Combine(path, ModelManifest.FileName));
        return ModelFolder.Open(path);
    }

    public ModelFolder Make(string name, params Precision[] precisions) => Make(name, variant => variant, precisions);

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
