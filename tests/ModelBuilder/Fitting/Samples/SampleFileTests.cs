using R1Serverless.ModelBuilder.Fitting.Samples;

namespace R1Serverless.Tests.ModelBuilder.Fitting.Samples;

public sealed class SampleFileTests : IDisposable
{
    private const string Text = """{"text":"a","label":"x"}""", Rows = """{"values":[1,2],"label":"x"}""", Window = """{"values":[[1,2],[3,4]],"label":"x"}""";

    private readonly string _path = Path.GetTempFileName();

    [Fact]
    public void Texts_come_from_JSON_lines()
    {
        var samples = Assert.IsType<TextSamples>(Read(texts: true,
            """{"text":"one","label":"b"}""", "", """{"label":"a","text":"zwö"}""", """{"text":"three","label":"b"}""", """{"text":"4","label":"a"}"""));
        Assert.Equal(["one", "zwö", "three", "4"], samples.Texts);
        Assert.Equal(["a", "b"], samples.Labels);
        Assert.Equal([1, 0, 1, 0], samples.Classes);
        Assert.Equal([1, 3, 4, 5], samples.Lines);
    }

    [Fact]
    public void Labels_may_be_numbers_or_truth()
    {
        Assert.Equal(["0", "1"], Read(false, Labelled("0"), Labelled("1"), Labelled("0"), Labelled("1")).Labels);
        Assert.Equal(["false", "true"], Read(false, Labelled("true"), Labelled("false"), Labelled("true"), Labelled("false")).Labels);
    }

    [Fact]
    public void A_text_that_comes_twice_counts_once()
    {
        var samples = Read(texts: true, Text, Text, """{"text":"b","label":"x"}""", """{"text":"c","label":"y"}""", """{"text":"d","label":"y"}""");
        Assert.Equal(4, samples.Count);
        Assert.Contains("count once", Assert.Single(samples.Notes));
    }

    [Fact]
    public void Numbers_come_from_a_table_with_quotes_gaps_and_other_columns()
    {
        var samples = Assert.IsType<NumberSamples>(Read(new SampleFields { Kind = SampleKind.Numbers, Label = "kind", Columns = ["b", "a"] },
            "\uFEFFa,note,kind,b", "1,\"said \"\"no\"\",", "and left\",x,2.5", "-3e2,,x,", "5,,y,6", "7,,y,8"));
        Assert.Equal(["b", "a"], samples.Columns);
        Assert.Equal([2], samples.Shape);
        Assert.Equal([2.5f, 1, float.NaN, -300, 6, 5, 8, 7], samples.Values);
        Assert.Equal([2, 4, 5, 6], samples.Lines);
        Assert.Contains("'b': 1 missing", Assert.Single(samples.Notes));
    }

    [Theory]
    [InlineData(";")]
    [InlineData("\t")]
    public void A_table_may_have_other_separators(string separator) =>
        Assert.Equal(["1", "2"], Assert.IsType<TextSamples>(Read(true, $"text{separator}label", $"a{separator}1", $"\"b,c\"{separator}2",
            $"d{separator}1", $"e{separator}2")).Labels);

    [Fact]
    public void Windows_have_steps_and_features()
    {
        var samples = Assert.IsType<NumberSamples>(Read(false, """{"values":[[1,2,3],[4,5,6]],"label":"x"}""", """{"values":[[1,2,3],[4,5,7]],"label":"x"}""",
            """{"values":[[0,0,0],[0,0,0]],"label":"y"}""", """{"values":[[0,0,0],[0,0,1]],"label":"y"}"""));
        Assert.True(samples.IsWindow);
        Assert.Equal([2, 3], samples.Shape);
        Assert.Equal([1, 2, 3, 4, 5, 6], samples.Values.Take(6));
    }

    [Theory]
    [InlineData(true, "line 2: 'id' is neither 'text' nor 'label'", Text, """{"text":"b","label":"x","id":7}""")]
    [InlineData(true, "line 2: 'label' is missing", Text, """{"text":"b"}""")]
    [InlineData(true, "line 2: 'label' is empty", Text, """{"text":"b","label":""}""")]
    [InlineData(true, "line 2: 'label' must be a text", Text, """{"text":"b","label":["x"]}""")]
    [InlineData(true, "line 1: 'text' is empty", """{"text":" ","label":"x"}""")]
    [InlineData(true, "line 1: 'text' must be a text", """{"text":5,"label":"x"}""")]
    [InlineData(true, "line 2 is not valid JSON", Text, "{")]
    [InlineData(true, "line 2: a JSON object is expected", Text, "[1]")]
    [InlineData(true, "lines 1 and 2: the same 'text' has the label 'x' and the label 'y'", Text, """{"text":"a","label":"y"}""")]
    [InlineData(true, "line 2: the label 'y' has one sample only", Text, """{"text":"b","label":"y"}""", """{"text":"c","label":"x"}""")]
    [InlineData(true, "All 2 samples have the label 'x'", Text, """{"text":"b","label":"x"}""")]
    [InlineData(true, "line 1: 'values' needs no encoder", Rows)]
    [InlineData(false, "line 1: 'text' needs an encoder", Text)]
    [InlineData(false, "line 2: 'values' has the shape [3], but the samples before have [2]", Rows, """{"values":[1,2,3],"label":"x"}""")]
    [InlineData(false, "line 2: 'values' has the shape [1, 2], but the samples before have [2, 2]", Window, """{"values":[[1,2]],"label":"x"}""")]
    [InlineData(false, "line 1: 'values[1]' has 1 numbers, but 'values[0]' has 2", """{"values":[[1,2],[3]],"label":"x"}""")]
    [InlineData(false, "line 1: 'values[1]' must be a list of numbers", """{"values":[[1,2],3],"label":"x"}""")]
    [InlineData(false, "line 1: 'values[1][0]' must be a number that float32 can hold, but is null", """{"values":[[1,2],[null,4]],"label":"x"}""")]
    [InlineData(false, "line 1: 'values[1]' must be a number that float32 can hold, but is 1e40", """{"values":[1,1e40],"label":"x"}""")]
    [InlineData(false, "line 1: 'values' must be a list", """{"values":[],"label":"x"}""")]
    [InlineData(false, "line 1: 'values' must be a list", """{"values":"1,2","label":"x"}""")]
    [InlineData(false, "'values[1]' has no number in any sample", """{"values":[1,null],"label":"x"}""", """{"values":[2,null],"label":"x"}""")]
    [InlineData(false, "line 3: 'a' must be a number that float32 can hold, or empty, but is 'NaN'", "a,label", "1,x", "NaN,y")]
    [InlineData(false, "line 2: 'a' must be a number that float32 can hold, or empty, but is 'red'", "a,label", "red,x")]
    [InlineData(false, "line 2 has 3 cells, but line 1 names 2 columns", "a,label", "1,x,2")]
    [InlineData(false, "line 2: 'label' is empty", "a,label", "1,")]
    [InlineData(false, "line 1: there is no column 'label'", "a,b", "1,2")]
    [InlineData(false, "line 1: two columns are named 'a'", "a,a,label", "1,2,x")]
    [InlineData(false, "line 1: there is no column beside that of the labels", "label", "x")]
    [InlineData(false, "line 2: a quote is not closed", "a,label", "\"1,x")]
    [InlineData(false, "line 2: 'z' stands behind a closed quote", "a,label", "\"1\"z,x")]
    [InlineData(true, "line 1: there is no column 'text'", "a,label", "1,x")]
    [InlineData(true, "line 1: 'id' is neither 'text' nor 'label'", "id,text,label", "1,a,x")]
    [InlineData(true, "the file is empty")]
    public void What_is_wrong_is_told_with_its_line_and_field(bool texts, string says, params string[] lines)
    {
        var fault = Assert.Throws<InvalidDataException>(() => Read(texts, lines));
        Assert.StartsWith(_path, fault.Message, StringComparison.Ordinal);
        Assert.Contains(says, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Columns_that_are_not_there_or_can_not_be_taken_are_refused()
    {
        Assert.Contains("there is no column 'weight'", Refusal("weight"));
        Assert.Contains("'label' is the column of the labels", Refusal("label"));
        string Refusal(string column) => Assert.Throws<InvalidDataException>(
            () => Read(new SampleFields { Kind = SampleKind.Numbers, Columns = [column] }, "a,b,label", "1,2,x")).Message;
    }

    [Theory]
    [InlineData("""{"text":"a\ud800","label":"x"}""", "line 2 has a \\u escape that is half of a surrogate pair")]
    [InlineData("""{"text":"a","label":"\udc00"}""", "line 2 has a \\u escape that is half of a surrogate pair")]
    [InlineData("""{"text":"a","te\ud800xt":"b","label":"x"}""", "line 2 has a \\u escape that is half of a surrogate pair")]
    [InlineData("""{"text":"a","label":"x","label":"y"}""", "line 2 has 'label' twice")]
    [InlineData("""{"text":"a","label":"x","te\u0078t":"y"}""", "line 2 has 'text' twice")]
    public void What_is_no_text_or_comes_twice_is_refused_by_its_line(string line, string words) =>
        Assert.Contains(words, Assert.Throws<InvalidDataException>(() => Read(texts: true, """{"text":"first","label":"x"}""", line)).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\u00fc\",\"label\":\"x\"}\n", 2)]
    [InlineData("text,label\na,x\n\nb\u00fc,y\n", 4)]
    [InlineData("text,label\na,x\nb,\u00c3", 3)]
    public void Another_encoding_is_refused_by_its_line(string content, int line)
    {
        File.WriteAllBytes(_path, System.Text.Encoding.Latin1.GetBytes(content));
        var fault = Assert.Throws<InvalidDataException>(Again);
        Assert.Contains($"line {line} is not valid UTF-8", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void UTF_16_is_read_where_its_mark_says_so_and_refused_where_it_is_broken()
    {
        foreach (var encoding in (System.Text.Encoding[])[System.Text.Encoding.Unicode, System.Text.Encoding.BigEndianUnicode])
        {
            File.WriteAllText(_path, "text,label\nä,x\nb,x\nc,y\nd,y\n", encoding);
            Assert.Equal(["ä", "b", "c", "d"], Assert.IsType<TextSamples>(Again()).Texts);
            File.AppendAllText(_path, "\0", System.Text.Encoding.ASCII);
            Assert.Contains("line 6 is not valid UTF-16", Assert.Throws<InvalidDataException>(Again).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Copies_of_one_text_are_told_to_count_once()
    {
        string[] lines = [.. Enumerable.Range(0, 60).Select(i => $$"""{"text":"{{(i % 2 == 0 ? "one" : "two")}}","label":"{{i % 2}}"}""")];
        Assert.Contains("line 1: all samples of the label '0' are the same text, and copies count once",
            Assert.Throws<InvalidDataException>(() => Read(texts: true, lines)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_column_is_named_once_and_a_table_may_begin_with_blank_lines()
    {
        string[] table = ["", "  ", "a;label", "1;x", "2;x", "3;y", "4;y"];
        Assert.Equal([4, 5, 6, 7], Read(new SampleFields { Kind = SampleKind.Numbers }, table).Lines);
        Assert.Contains("--columns names 'a' twice", Assert.Throws<InvalidDataException>(
            () => Read(new SampleFields { Kind = SampleKind.Numbers, Columns = ["a", "a"] }, table)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => File.Delete(_path);

    private static string Labelled(string label) => $$"""{"values":[1],"label":{{label}}}""";

    /// <summary>Texts of the file as it is.</summary>
    private SampleSet Again() => SampleFile.Read(_path, new SampleFields { Kind = SampleKind.Texts }, CancellationToken.None);

    private SampleSet Read(bool texts, params string[] lines) =>
        Read(new SampleFields { Kind = texts ? SampleKind.Texts : SampleKind.Numbers }, lines);

    private SampleSet Read(SampleFields fields, params string[] lines)
    {
        File.WriteAllLines(_path, lines);
        return SampleFile.Read(_path, fields, CancellationToken.None);
    }
}
