using System.Text;
using System.Text.Json;
using CsCheck;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Api.OpenInference;

namespace R1Serverless.Tests.Api.OpenInference;

public sealed class InferBodyTests
{
    [Fact]
    public void What_is_written_as_JSON_or_binary_reads_as_the_same_tensor() => TensorGen.Any.Sample(tensor =>
    {
        TensorGen.AssertSame(tensor, Again(tensor, isBinary: false));
        Assert.Equal(tensor.Data.ToArray(), Again(tensor, isBinary: true).Data.ToArray());
    });

    [Fact]
    public void Inside_another_object_it_is_JSON_to_the_letter_and_reads_the_same() => TensorGen.Any.Sample(tensor =>
    {
        var text = InferAnswerWriter.Write("m", null, InferForm.Plain, [tensor], isPart: true).WrittenSpan;
        using var document = JsonDocument.Parse(text.ToArray());
        TensorGen.AssertSame(tensor, Read(AsRequest(text.ToArray(), []), null, out _)!.Inputs.Single());
    });

    [Fact]
    public void Nested_data_are_flat_data() => TensorGen.Any.Sample(tensor =>
    {
        var flat = JsonDocument.Parse(InferAnswerWriter.Write("m", null, InferForm.Plain, [tensor], isPart: true).WrittenMemory).RootElement
            .GetProperty("outputs")[0].GetProperty("data").EnumerateArray().Select(one => one.GetRawText()).ToArray();
        var at = 0;
        var body = Input(TensorTypes.Name(tensor.Type), $"[{string.Join(',', tensor.Shape)}]", Nest(tensor.Shape, flat, ref at));
        TensorGen.AssertSame(tensor, Read(body, null, out _)!.Inputs.Single());
    });

    [Theory]
    [InlineData("INT64", "[2]", "[9223372036854775807,-9223372036854775808]", "FFFFFFFFFFFFFF7F0000000000000080")]
    [InlineData("UINT64", "[1]", "[18446744073709551615]", "FFFFFFFFFFFFFFFF")]
    [InlineData("INT64", "[1]", "[9007199254740993]", "0100000000002000")]
    [InlineData("INT32", "[2]", "[1e2,-3.0]", "64000000FDFFFFFF")]
    [InlineData("UINT8", "[3]", "[0,255,7]", "00FF07")]
    [InlineData("INT8", "[2]", "[-128,127]", "807F")]
    [InlineData("BOOL", "[3]", "[true,false,true]", "010001")]
    [InlineData("FP32", "[2]", "[0.1,-0]", "CDCCCC3D00000080")]
    // Beside a tie of two floats: by way of a double it would become the other one.
    [InlineData("FP32", "[1]", "[1.00000017881393432617187499]", "0100803F")]
    [InlineData("FP16", "[3]", "[1,65504,6e-8]", "003CFF7B0100")]
    [InlineData("BF16", "[3]", "[1,1.00390625,1.00390626]", "803F803F813F")]
    [InlineData("FP64", "[1]", "[0.1]", "9A9999999999B93F")]
    [InlineData("FP32", "[6]", "[NaN,Infinity,-Infinity,\"NaN\",\"-Infinity\",Inf]", "FFFFFFFF0000807F000080FFFFFFFFFF000080FF0000807F", true)]
    [InlineData("BYTES", "[2]", """["","a\u00e9\ud83d\ude00NaN"]""", "000000000A00000061C3A9F09F98804E614E")]
    [InlineData("FP32", "[]", "[2]", "00000040")]
    [InlineData("FP32", "[]", "2", "00000040")]
    [InlineData("FP32", "[0,3]", "[]", "")]
    [InlineData("FP32", "[2,0]", "[[],[]]", "")]
    [InlineData("INT8", "[2,1,2]", "[[[1,2]],[[3,4]]]", "01020304")]
    [InlineData("INT8", "[2,1,2]", "[1,2,3,4]", "01020304")]
    public void Data_are_read_to_the_bit(string type, string shape, string data, string expected, bool hasNaN = false)
    {
        var tensor = Read(Input(type, shape, data), null, out var fault)?.Inputs.Single();
        Assert.True(tensor is not null, fault);
        var wanted = tensor with { Data = Convert.FromHexString(expected) };
        if (hasNaN) TensorGen.AssertSame(wanted, tensor);
        else Assert.Equal(expected, Convert.ToHexString(tensor.Data.Span));
    }

    [Theory]
    [InlineData("""{"id":"a","id":"b","inputs":[X]}""", "'id'")]
    [InlineData("""{"inputs":[X],"inputs":[X]}""", "'inputs'")]
    [InlineData("""{"inputs":[X],"outputs":[],"outputs":[]}""", "'outputs'")]
    [InlineData("""{"inputs":[X],"parameters":{"timeout":1,"timeout":2}}""", "'timeout'")]
    [InlineData("""{"inputs":[{"name":"x","name":"y","datatype":"INT8","shape":[1],"data":[1]}]}""", "'inputs[0].name'")]
    [InlineData("""{"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[1],"da\u0074a":[2]}]}""", "'inputs[0].data'")]
    [InlineData("""{"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[1],"shape":[1]}]}""", "'inputs[0].shape'")]
    [InlineData("""{"inputs":[X],"outputs":[{"name":"y","name":"z"}]}""", "'outputs[0].name'")]
    [InlineData("""{"inputs":[X],"outputs":[{"name":"y","parameters":{"binary_data":true,"binary_data":false}}]}""", "'binary_data'")]
    public void A_field_that_comes_twice_is_refused_by_name(string body, string field)
    {
        body = body.Replace("X", """{"name":"x","datatype":"INT8","shape":[1],"data":[1]}""", StringComparison.Ordinal);
        Assert.Null(Read(Encoding.UTF8.GetBytes(body), null, out var fault));
        Assert.Contains($"{field} twice", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("INT8", "[1]", "[128]", "element 0 of INT8 must be a whole number from -128 to 127, not 128")]
    [InlineData("UINT8", "[2]", "[1,-1]", "element 1 of UINT8")]
    [InlineData("INT64", "[1]", "[9223372036854775808]", "element 0 of INT64")]
    [InlineData("UINT64", "[1]", "[18446744073709551616]", "element 0 of UINT64")]
    [InlineData("INT32", "[1]", "[1.5]", "not 1.5")]
    [InlineData("INT32", "[1]", "[\"1\"]", "not a string")]
    [InlineData("INT32", "[1]", "[NaN]", "element 0 of INT32")]
    [InlineData("BOOL", "[1]", "[1]", "true or false, not 1")]
    [InlineData("FP32", "[1]", "[1e39]", "element 0 of FP32")]
    [InlineData("FP16", "[1]", "[65520]", "element 0 of FP16")]
    [InlineData("BF16", "[1]", "[3.4e38]", "element 0 of BF16")]
    [InlineData("FP64", "[1]", "[1e400]", "element 0 of FP64")]
    [InlineData("FP32", "[1]", "[\"nan\"]", "not a string")]
    [InlineData("FP32", "[1]", "[null]", "not null")]
    [InlineData("FP32", "[1]", "[{}]", "not an object")]
    [InlineData("BYTES", "[1]", "[1]", "a string, not 1")]
    [InlineData("FP32", "[3]", "[1,2]", "takes 3 elements, but 'data' has 2")]
    [InlineData("FP32", "[1]", "[1,2]", "takes 1 elements, but 'data' has more")]
    [InlineData("FP32", "[2,2]", "[[1,2],[3]]", "has 1 entries at depth 2, where the shape [2,2] has 2")]
    [InlineData("FP32", "[2,3]", "[[1,2],[3,4],[5,6]]", "entries at depth 2")]
    [InlineData("FP32", "[2]", "[[1,2]]", "nested deeper")]
    [InlineData("FP32", "[1,2]", "[1,[2]]", "nested deeper")]
    [InlineData("FP32", "[2,1]", "[[1],2]", "an element at depth 1")]
    [InlineData("FP32", "[1]", "1", "must be an array, not 1")]
    [InlineData("FP32", "[4611686018427387904,4]", "[1]", "more elements than 'data' has")]
    [InlineData("FP32", "[1000000]", "[1]", "more elements than 'data' has")]
    public void A_wrong_element_is_named(string type, string shape, string data, string expected)
    {
        Assert.Null(Read(Input(type, shape, data), null, out var fault));
        Assert.StartsWith("The input 'x': ", fault, StringComparison.Ordinal);
        Assert.Contains(expected, fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "valid JSON")]
    [InlineData("[]", "a JSON object")]
    [InlineData("{\"inputs\":[]} x", "valid JSON")]
    [InlineData("{}", "'inputs'")]
    [InlineData("{\"inputs\":{}}", "'inputs' must be an array")]
    [InlineData("{\"inputs\":[1]}", "'inputs[0]' must be an object")]
    [InlineData("{\"inputs\":[{}]}", "'inputs[0].name' is required")]
    [InlineData("{\"inputs\":[{\"name\":1}]}", "'inputs[0].name' must be a string")]
    [InlineData("{\"inputs\":[{\"name\":\"x\"}]}", "'x' needs its 'datatype', one of BOOL")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"fp32\"}]}", "not 'fp32'")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\"}]}", "needs its 'shape'")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1]}]}", "whole numbers from 0")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1]}]}", "needs either 'data'")]
    [InlineData(
        "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1],\"parameters\":{\"binary_data_size\":4}}]}", "needs either")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":{\"binary_data_size\":4}}]}", "there are 0 bytes")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"parameters\":{\"binary_data_size\":-4}}]}", "a number of bytes")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"parameters\":{\"shared_memory_region\":\"a\"}}]}", "'shared_memory_region' is not supported")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"dtype\":\"FP32\"}]}", "Unknown field 'inputs[0].dtype'")]
    [InlineData("{\"input\":[]}", "Unknown field 'input'")]
    [InlineData("{\"inputs\":[],\"inputs\":[]}", "twice")]
    [InlineData("{\"id\":1}", "'id' must be a string")]
    [InlineData("{\"parameters\":[]}", "'parameters' must be an object")]
    [InlineData("{\"parameters\":{\"a\":[1]}}", "'a' must be a string, a number or a boolean")]
    [InlineData("{\"parameters\":{\"a\":\"\\ud800\"}}", "'parameters': 'a' is no Unicode")]
    [InlineData("{\"parameters\":{\"\\ud800\":1}}", "no Unicode")]
    [InlineData("{\"parameters\":{\"a\":NaN}}", "'parameters': 'a' can't be NaN")]
    [InlineData("{\"parameters\":{\"b\":1,\"a\":-Infinity}}", "'parameters': 'a' can't be -Infinity")]
    [InlineData("{\"inputs\":[{\"name\":\"x\",\"parameters\":{\"binary_data_size\":Inf}}]}", "'inputs[0].parameters': 'binary_data_size' can't be Infinity")]
    [InlineData("{\"outputs\":[{\"name\":\"y\"},{\"name\":\"y\"}]}", "asked for twice")]
    [InlineData("{\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":3}}]}", "'classification' is not supported")]
    [InlineData("{\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":1}}]}", "true or false")]
    public void A_wrong_field_is_named(string body, string expected)
    {
        Assert.Null(Read(Encoding.UTF8.GetBytes(body), null, out var fault));
        Assert.Contains(expected, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_many_of_anything_is_refused()
    {
        var one = """{"name":"@","datatype":"INT8","shape":[1],"data":[1]}""";
        AssertRefused($$"""{"inputs":[{{Join(InferLimits.Tensors + 1, i => one.Replace("@", $"{i}", StringComparison.Ordinal))}}]}""", "at most 256");
        AssertRefused($$"""{"outputs":[{{Join(InferLimits.Tensors + 1, i => $$"""{"name":"{{i}}"}""")}}]}""", "at most 256");
        AssertRefused($$"""{"inputs":[{"name":"x","shape":[{{Join(InferLimits.Rank + 1, _ => "1")}}]}]}""", "at most 16");
        AssertRefused($$"""{"inputs":[{"name":"{{new string('x', InferLimits.Name + 1)}}"}]}""", "at most 1024");
        AssertRefused($$"""{"inputs":[{"data":{{new string('[', 1_000_000)}}""", "nested deeper");

        static string Join(int count, Func<int, string> part) => string.Join(',', Enumerable.Range(0, count).Select(part));

        static void AssertRefused(string body, string expected)
        {
            Assert.Null(Read(Encoding.UTF8.GetBytes(body), null, out var fault));
            Assert.Contains(expected, fault, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Fields_come_in_any_order()
    {
        var body = """
            {"inputs":[{"data":[[1],[2]],"parameters":{},"shape":[2,1],"datatype":"INT8","name":"x"}],"id":"a","model_name":"m","outputs":null}
            """u8.ToArray();
        var read = Read(body, null, out _)!;
        Assert.Equal(("a", "0102"), (read.Id, Convert.ToHexString(read.Inputs.Single().Data.Span)));
    }

    [Fact]
    public void Binary_data_belong_to_their_inputs_in_order()
    {
        var json = """
            {"inputs":[{"name":"a","datatype":"UINT16","shape":[1],"parameters":{"binary_data_size":2}},
             {"name":"b","datatype":"INT8","shape":[1],"data":[5]},
             {"name":"c","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}}],
             "outputs":[{"name":"y","parameters":{"binary_data":true}},{"name":"z"}]}
            """u8.ToArray();
        var read = Read([.. json, 1, 2, 1, 0, 0, 0, 65], json.Length, out var fault)!;
        Assert.Null(fault);
        Assert.Equal(["0102", "05", "0100000041"], read.Inputs.Select(one => Convert.ToHexString(one.Data.Span)));
        Assert.Equal([true, null], read.Outputs.Select(one => one.IsBinary));
        Assert.Null(Read([.. json, 1, 2, 1, 0, 0, 0, 65, 9], json.Length, out fault));
        Assert.Contains("1 bytes more", fault, StringComparison.Ordinal);
        Assert.Null(Read([.. json, 1, 2, 1, 0, 0, 0], json.Length, out fault));
        Assert.Contains("'c'", fault, StringComparison.Ordinal);
        Assert.Null(Read([.. json, 1, 2, 2, 0, 0, 0, 65], json.Length, out fault));
        Assert.Contains("'c': element 0 of BYTES is cut off", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_are_no_text_are_told_as_base64()
    {
        Tensor tensor = new("x", TensorType.Bytes, [1], (byte[])[2, 0, 0, 0, 0xFF, 0xFE]);
        var text = InferAnswerWriter.Write("m", null, InferForm.Plain, [tensor]).WrittenMemory;
        var output = JsonDocument.Parse(text).RootElement.GetProperty("outputs")[0];
        Assert.Equal("base64", output.GetProperty("parameters").GetProperty("data_encoding").GetString());
        Assert.Equal([0xFF, 0xFE], output.GetProperty("data")[0].GetBytesFromBase64());
    }

    [Theory]
    [InlineData(new long[] { -1, 2 }, true, 8, new long[] { 1, 2 })]
    [InlineData(new long[] { -1, 2 }, false, 24, new long[] { 3, 2 })]
    [InlineData(new long[] { -1, -1 }, true, 12, new long[] { 1, 3 })]
    [InlineData(new long[] { -1, -1 }, false, 12, null)]
    [InlineData(new long[] { -1, 2 }, false, 12, null)]
    [InlineData(new long[] { }, false, 4, new long[] { })]
    public void A_body_without_JSON_gets_the_shape_that_fits(long[] shape, bool isBatched, int bytes, long[]? expected)
    {
        TensorSignature signature = new([new TensorSpec("x", TensorType.Float32, shape)], []) { IsBatched = isBatched };
        Assert.Equal(expected, RawInput.Read(signature, new byte[bytes], out var fault)?.Inputs.Single().Shape);
        Assert.Equal(expected is null, fault is not null);
    }

    /// <summary>An answer with this tensor, read as a request with it.</summary>
    private static Tensor Again(Tensor tensor, bool isBinary)
    {
        var text = InferAnswerWriter.Write("m", "1", new InferForm("i", isBinary, []), [tensor]).WrittenSpan.ToArray();
        var body = AsRequest(text, isBinary ? tensor.Data.ToArray() : []);
        var read = Read(body, body.Length - (isBinary ? tensor.Data.Length : 0), out var fault);
        Assert.True(read is not null, fault);
        return read.Inputs.Single();
    }

    private static byte[] AsRequest(byte[] answer, byte[] binary) =>
        [.. Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(answer).Replace("\"outputs\":[{", "\"inputs\":[{", StringComparison.Ordinal)), .. binary];

    private static string Nest(IReadOnlyList<long> shape, string[] flat, ref int at, int axis = 0)
    {
        if (axis == shape.Count) return flat[at++];
        List<string> parts = [];
        for (var i = 0; i < shape[axis]; i++) parts.Add(Nest(shape, flat, ref at, axis + 1));
        return $"[{string.Join(',', parts)}]";
    }

    private static byte[] Input(string type, string shape, string data) =>
        Encoding.UTF8.GetBytes($$"""{"inputs":[{"name":"x","datatype":"{{type}}","shape":{{shape}},"data":{{data}}}]}""");

    private static InferBody? Read(byte[] body, int? jsonLength, out string? fault) =>
        InferBodyReader.Read(body, jsonLength ?? body.Length, out fault);
}
