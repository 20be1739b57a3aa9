using R1Serverless.Images;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.Tests.Images;

namespace R1Serverless.Tests.ModelBuilder.Fitting.Samples;

/// <summary>Pictures from folders and from lines: each is taken, or told of.</summary>
public sealed class PictureSampleTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("r1-pictures-").FullName;

    [Fact]
    public void A_picture_has_the_path_of_its_folder_as_its_label()
    {
        Add("cats/1.png", 1);
        Add("cats/big/2.PNG", 2);
        Add("cats/big/3.jpeg", 3);
        Add("cats/4.webp", 4);
        Add("cats/again.png", 1);
        Add("cats/notes.txt", 5);
        Add("readme", 6);
        var samples = Assert.IsType<PictureSamples>(Read(_root));
        Assert.Equal(["cats", "cats/big"], samples.Labels);
        Assert.Equal(["cats/1.png", "cats/4.webp", "cats/big/2.PNG", "cats/big/3.jpeg"], samples.Names);
        Assert.Equal([0, 0, 1, 1], samples.Classes);
        Assert.Equal(["Passed over: 2 files that are no pictures by their names (.txt, readme).",
            "1 picture that came before, with the same label, count once."], samples.Notes);
        Assert.Equal(Path.Combine(_root, "cats/4.webp"), samples.PathOf(1));
    }

    [Fact]
    public void Lines_name_files_beside_them()
    {
        foreach (var i in (byte[])[1, 2, 3, 4]) Add($"all/{i}.png", i);
        var samples = Assert.IsType<PictureSamples>(Read(Lines("""{"image":"all/1.png","label":"a"}""", """{"image":"all/2.png","label":"a"}""", "",
            """{"image":"all/3.png","label":1}""", """{"label":"1","image":"all/4.png"}""")));
        Assert.Equal(["1", "a"], samples.Labels);
        Assert.Equal([1, 2, 4, 5], samples.Lines);
        Assert.Equal(Path.Combine(_root, "all/4.png"), samples.PathOf(3));
        Assert.Equal(["1", "a"], Read(Lines("label,image", "a,all/1.png", "a,all/2.png", "1,all/3.png", "1,all/4.png")).Labels);
    }

    [Fact]
    public void What_can_not_be_taken_is_told_by_its_file()
    {
        Add("a/1.png", 1);
        Add("b/2.png", 1);
        Assert.Contains("a/1.png and b/2.png: the same picture has the label 'a' and the label 'b'", Refusal(_root));
        Add("b/2.png", 2);
        Assert.Contains("a/1.png: the label 'a' has one sample only", Refusal(_root));
        Add("top.png", 3);
        Assert.Contains("top.png: it lies in no folder below", Refusal(_root));
        Assert.Contains("line 1, c/1.png: there is no such file", Refusal(Lines("""{"image":"c/1.png","label":"a"}""")));
        Assert.Contains("line 1: 'image' must be the name of a file", Refusal(Lines("""{"image":1,"label":"a"}""")));
        Assert.Contains("line 1: 'text' needs an encoder", Refusal(Lines("""{"text":"a","label":"a"}""")));
        Assert.Contains("line 1: there is no column 'image'", Refusal(Lines("picture,label", "a/1.png,a")));
        using (var large = File.Create(Path.Combine(_root, "a/large.png"))) large.SetLength(ImageLimits.Default.MaxBytes + 1);
        Assert.Contains($"line 1, a/large.png: the image has {ImageLimits.Default.MaxBytes + 1} bytes",
            Refusal(Lines("""{"image":"a/large.png","label":"a"}""")));
    }

    [Theory]
    [InlineData(SampleKind.Numbers, "it is a folder: pictures need an encoder")]
    [InlineData(SampleKind.Texts, "it is a folder, and the encoder makes vectors of texts")]
    public void A_folder_needs_an_encoder_of_images(SampleKind kind, string says) => Assert.Contains(says, Refusal(_root, kind));

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static SampleSet Read(string path, SampleKind kind = SampleKind.Pictures) =>
        SampleFile.Read(path, new SampleFields { Kind = kind }, CancellationToken.None);

    private static string Refusal(string path, SampleKind kind = SampleKind.Pictures) =>
        Assert.Throws<InvalidDataException>(() => Read(path, kind)).Message;

    private void Add(string name, byte shade)
    {
        var path = Path.Combine(_root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, Pictures.Plain(shade, 0, 0));
    }

    private string Lines(params string[] lines)
    {
        var path = Path.Combine(_root, "samples");
        File.WriteAllLines(path, lines);
        return path;
    }
}
