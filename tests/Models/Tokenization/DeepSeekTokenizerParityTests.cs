namespace R1Serverless.Tests.Models.Tokenization;

public sealed class DeepSeekTokenizerParityTests
{
    private static readonly string DeepSeek =
        RepositoryFiles.Path("tests", "oracles", "node_modules", "@lenml", "tokenizer-deepseek_v3", "models", "tokenizer.json");

    private static readonly string[] WithAddedTokens =
    [
        "<｜begin▁of▁sentence｜>Be brief.<｜User｜>Hi<｜Assistant｜>", " <｜User｜> ", "<｜User｜><｜User｜>", "a<｜end▁of▁sentence｜>\n", "<｜User", "<<｜User｜>>", "<|EOT|>1<｜tool▁sep｜>",
    ];

    [Fact]
    public void Ids_equal_the_references() => ReferenceTokenizer.AssertSameIds(DeepSeek, WithAddedTokens);
}
