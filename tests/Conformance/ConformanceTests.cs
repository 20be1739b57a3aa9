namespace R1Serverless.Tests.Conformance;

/// <summary>ONNX's own test graphs, served: every answer by every protocol has the bits of ONNX Runtime's.</summary>
public sealed class ConformanceTests : IDisposable
{
    private const string Missing = "ONNX's test graphs are not installed: tests/run takes them from Debian's libonnx-testdata, where apt is.";

    private const int Parts = 8;

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-conformance-").FullName;

    /// <summary>All of them, in parts that take seconds.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public Task Answers_have_every_bit(int part) => HoldsAsync(Cases(part), batched: 0);

    /// <summary>Where a first axis is no batch axis, or a row's bits depend on its place, requests run one by one. `bench conformance --free` takes
    /// all.</summary>
    [Fact]
    public Task A_batch_axis_that_is_none_changes_no_answer() => HoldsAsync(FreedCase.WriteAll(Cases(3), _folder), batched: 10);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static IReadOnlyList<OnnxTestCase> Cases(int part)
    {
        var all = OnnxTestCase.FindAll(OnnxTestCase.Installed);
        Assert.SkipWhen(all.Count == 0, Missing);
        return [.. all.Where((_, i) => i % Parts == part)];
    }

    private static async Task HoldsAsync(IReadOnlyList<OnnxTestCase> cases, int batched)
    {
        var report = await ConformanceRun.RunAsync(cases, TestContext.Current.CancellationToken);
        Assert.Empty(report.Differences);
        Assert.Empty(report.Refused);
        var compared = report.Graphs - report.LeftOut.Count;
        Assert.InRange(compared, cases.Count * 3 / 4, cases.Count);
        // Their inputs are read rightly: ONNX Runtime gives what the files expect.
        Assert.InRange(report.Expected, compared * 9 / 10, compared);
        Assert.InRange(report.Batched, batched, compared);
        for (var protocol = 0; protocol < ThreeProtocols.Names.Count; protocol++) Assert.Equal((compared, compared), report.Of(protocol));
    }
}
