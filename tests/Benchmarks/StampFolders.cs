using R1Serverless.Images;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.Models;
using R1Serverless.Tests.ModelBuilder.Tensors;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Pictures in folders of categories (Debian: tuxpaint-stamps-default), and an encoder for them.</summary>
internal static class StampFolders
{
    private const int Categories = 9;

    /// <summary>Pictures of the nine categories (folders, whatever lies deeper in them) with the most; one that comes twice counts once.</summary>
    /// <param name="depth">Of the folders that are categories, from 1.</param>
    public static PictureSamples Read(string folder, int depth)
    {
        var all = PictureFiles.Find(folder).Pictures.Select(name => (Name: name, Parts: name.Split(Path.DirectorySeparatorChar)))
            .Where(one => one.Parts.Length > depth)
            .GroupBy(one => string.Join('/', one.Parts.Take(depth)), one => one.Name).OrderByDescending(group => group.Count())
            .ThenBy(group => group.Key, StringComparer.Ordinal).Take(Categories).OrderBy(group => group.Key, StringComparer.Ordinal).ToArray();
        PictureCollection pictures = new(folder, isOfFolders: true);
        foreach (var (name, label) in all.SelectMany(group => group.Select(name => (name, group.Key)))) pictures.Add(1, name, label);
        return pictures.ToSamples();
    }

    /// <summary>ResNet18 for vectors of pictures, of which the usual levels are taken off.</summary>
    /// <returns>The model's folder.</returns>
    public static string WriteResNet18(string folder)
    {
        var path = Directory.CreateDirectory(Path.Combine(folder, "resnet18")).FullName;
        File.Copy(PackagedModels.ResNet18, Path.Combine(path, "model.onnx"));
        File.WriteAllText(Path.Combine(path, ModelFiles.ImageFile),
            """{"size":{"height":224,"width":224},"resample":2,"do_rescale":false,"image_mean":[123.7,116.3,103.5],"image_std":[1,1,1]}""");
        return path;
    }
}
