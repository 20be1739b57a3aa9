using System.Text;
using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Images;

namespace R1Serverless.Tests.Commands;

/// <summary>Samples that models are evaluated with.</summary>
public sealed class TensorSamplesTests : IDisposable
{
    private const string Vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n";

    private readonly string _path = Path.GetTempFileName();

    [Theory]
    [InlineData("""{"text":"a\ud800"}""", "line 3 has a \\u escape that is half of a surrogate pair")]
    [InlineData("""{"text":"a","text":"b"}""", "line 3 has 'text' twice")]
    [InlineData("""{"inputs":[{"name":"x\ud800"}]}""", "line 3")]
    [InlineData("""{"text":"\u00fc"}""", "line 3 is not valid UTF-8", true)]
    public async Task What_is_no_text_or_comes_twice_is_refused_by_its_line(string line, string words, bool isLatin = false)
    {
        if (isLatin) line = line.Replace("\\u00fc", "ü", StringComparison.Ordinal);
        await File.WriteAllBytesAsync(_path, (isLatin ? Encoding.Latin1 : Encoding.UTF8).GetBytes($$"""{"text":"a"}""" + "\n\n" + line + "\n"),
            TestContext.Current.CancellationToken);
        using var folder = TensorFolder.Encoder().With("vocab.txt", Vocabulary);
        var fault = await Assert.ThrowsAsync<InvalidDataException>(
            () => TensorSamples.LoadAsync(_path, folder.Open(), [], TestContext.Current.CancellationToken));
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"family":"f","prompt":"\ud800","answer":"a"}""", "line 1 has a \\u escape")]
    [InlineData("""{"family":"f","prompt":"p","answer":"a","answer":"b"}""", "line 1 has 'answer' twice")]
    public async Task Tasks_are_held_to_the_same(string line, string words)
    {
        await File.WriteAllTextAsync(_path, line, TestContext.Current.CancellationToken);
        var fault = await Assert.ThrowsAsync<InvalidDataException>(
            () => EvaluationTask.LoadAsync(_path, TestContext.Current.CancellationToken));
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_picture_that_cannot_be_read_is_named_by_its_file()
    {
        using var folder = TensorFolder.Picture().With("preprocessor_config.json", """{"size":4,"resample":0}""")
            .With("pictures/broken.png", "no picture");
        List<string> places = [];
        var model = folder.Open();
        var file = Path.Combine(folder.Path, "pictures", "broken.png");
        var fault = await Assert.ThrowsAsync<InvalidDataException>(LoadAsync);
        Assert.Equal($"{file}: the image is of no format that is known: PNG, JPEG and WebP are taken.", fault.Message);
        await File.WriteAllBytesAsync(file, Pictures.Png[..80], TestContext.Current.CancellationToken);
        var samples = await LoadAsync();
        fault = await Assert.ThrowsAsync<InvalidDataException>(
            () => SampleInputs.ReadAsync(model, samples, places, TestContext.Current.CancellationToken));
        Assert.StartsWith(file + ": the image", fault.Message, StringComparison.Ordinal);

        Task<IReadOnlyList<Prompt>> LoadAsync() =>
            TensorSamples.LoadAsync(Path.Combine(folder.Path, "pictures"), model, places, TestContext.Current.CancellationToken);
    }

    public void Dispose() => File.Delete(_path);
}
