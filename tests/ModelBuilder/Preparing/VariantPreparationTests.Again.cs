using R1Serverless.Abstractions;
using R1Serverless.Engine.Prepared;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Preparing;
using R1Serverless.Models;

namespace R1Serverless.Tests.ModelBuilder.Preparing;

/// <summary>Preparing what servers may be using already.</summary>
public sealed partial class VariantPreparationTests
{
    [Fact]
    public void What_is_prepared_already_is_left_as_it_is()
    {
        var model = Copy(TestModels.Nano);
        var variant = Variant(model, Precision.Int8);
        var first = VariantPreparation.Prepare(model, variant, Options, Cancellation);
        Assert.False(first.IsKept);
        var mark = Path.Combine(first.Path, "mark");
        File.WriteAllText(mark, "");
        Assert.Equal(first with { IsKept = true }, VariantPreparation.Prepare(model, variant, Options, Cancellation));
        Assert.True(File.Exists(mark));
    }

    [Fact]
    public void What_looks_right_and_answers_wrong_is_prepared_again()
    {
        var model = MakeWide(Precision.Int8);
        var variant = Variant(model, Precision.Int8);
        var path = VariantPreparation.Prepare(model, variant, Options, Cancellation).Path;
        using (var file = File.Open(Path.Combine(path, PreparedManifest.WeightsFile), FileMode.Open))
        {
            file.Position = file.Length / 2;
            file.Write(new byte[64 << 10]);
        }

        Assert.NotNull(PreparedFolder.Detect(model, variant, Options).Path);
        Assert.False(VariantPreparation.Prepare(model, variant, Options, Cancellation).IsKept);
        AssertPrepared(model, variant);
        Assert.Equal([path], Directory.EnumerateDirectories(Path.Combine(model.Path, PreparedFolder.Name)));
    }

    [Fact]
    public void What_is_in_use_and_no_longer_fits_goes_out_of_the_way_whole()
    {
        var model = Copy(TestModels.Nano);
        var variant = Variant(model, Precision.Int8);
        var path = VariantPreparation.Prepare(model, variant, Options, Cancellation).Path;
        var manifest = PreparedManifest.Find(Path.Combine(path, PreparedManifest.FileName))!;
        var stale = Directory.CreateDirectory(path[..^1] + (path[^1] == '0' ? '1' : '0')).FullName;
        File.Copy(Path.Combine(path, PreparedManifest.WeightsFile), Path.Combine(stale, PreparedManifest.WeightsFile));
        (manifest with { Key = manifest.Key with { Runtime = "0.1" } }).Save(Path.Combine(stale, PreparedManifest.FileName));
        File.Delete(Path.Combine(path, PreparedManifest.GraphFile));
        // Held, as Windows holds every file of which a server has mapped pages: they can't be deleted.
        using (Hold(path))
        using (Hold(stale))
        {
            Assert.Equal(path, VariantPreparation.Prepare(model, variant, Options, Cancellation).Path);
            AssertPrepared(model, variant);
            var root = Path.Combine(model.Path, PreparedFolder.Name);
            Assert.Equal([path],
                Directory.EnumerateDirectories(root).Where(one => !Path.GetFileName(one).StartsWith(WorkFolder.Prefix, StringComparison.Ordinal)));
            Assert.Equal(2,
                Directory.EnumerateDirectories(root, $"{WorkFolder.Prefix}*")
                .Count(one => File.Exists(Path.Combine(one, PreparedManifest.WeightsFile))));
        }

        static FileStream Hold(string folder) =>
            new(Path.Combine(folder, WorkFolder.LockFile), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
    }
}
