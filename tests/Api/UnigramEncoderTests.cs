using System.Net;
using System.Text.Json;
using R1Serverless.Engine.Devices;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Hosting;
using R1Serverless.Tests.Models.Tokenization;

namespace R1Serverless.Tests.Api;

/// <summary>/v1/embeddings over an encoder whose tokenizer is as XLM-RoBERTa's: a character map, words, and Unigram.</summary>
public sealed class UnigramEncoderTests
{
    private static readonly MadeCharacterMap Map = new(("Ａ", "a"), ("ﬁ", "fi"), ("\u3000", " "), ("\u200B", ""));

    private static readonly (string, double)[] Pieces = [("▁", -2), ("▁a", -3), ("b", -3), ("▁b", -4), ("fi", -5)];

    [Fact]
    public async Task A_text_has_the_vector_of_the_reference_s_ids()
    {
        using var folder = TensorFolder.Encoder().With("tokenizer.json", SentencePieceJson.XlmRoberta(Pieces, Map.ToString()).ToJsonString());
        await using var server = await StartAsync(folder);
        string[] texts = ["Ａb　b ﬁ", "a  b\n<mask> ﬁﬁ", "\u200B", "b?b 中"];
        var ids = NodeOracle.Answers<int[][]>(texts, "encode.mjs", Path.Combine(folder.Path, "tokenizer.json")).ConvertAll(answer => answer[0]);
        Assert.Equal([0, 5, 6, 7, 4, 8, 2], ids[0]);
        var (ofTexts, ofIds) = (await VectorsAsync(server, folder, texts), await VectorsAsync(server, folder, ids));
        Assert.Equal(ofIds, ofTexts);
        Assert.Equal(texts.Length, ofTexts.Distinct().Count());
    }

    [Fact]
    public async Task A_damaged_map_is_why_texts_are_refused()
    {
        using var folder = TensorFolder.Encoder().With("tokenizer.json", SentencePieceJson.XlmRoberta(Pieces, Map.ToString()[..400]).ToJsonString());
        await using var server = await StartAsync(folder);
        var response = await server.PostAsync("/v1/embeddings", JsonSerializer.Serialize(new { model = Name(folder), input = "a" }));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("precompiled_charsmap", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static string Name(TensorFolder folder) => Path.GetFileName(folder.Path);

    private static async Task<string[]> VectorsAsync<T>(TestServer server, TensorFolder folder, IEnumerable<T> input)
    {
        var response = await server.PostAsync("/v1/embeddings", JsonSerializer.Serialize(new { model = Name(folder), input }));
        var answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, answer);
        return [.. JsonDocument.Parse(answer).RootElement.GetProperty("data").EnumerateArray()
            .Select(one => one.GetProperty("embedding").GetRawText())];
    }

    private static async Task<TestServer> StartAsync(TensorFolder folder)
    {
        var server = await TestServer.StartLoadingAsync(LocalModels.LoadAsync, new ServeOptions
        {
            Models = [folder.Path], Load = [Name(folder)], Runtime = new RuntimeOptions { Threads = 1 },
        });
        await server.UntilAsync(ServingPhase.Ready);
        return server;
    }
}
