using R1Serverless.Abstractions;
using R1Serverless.Models;
using R1Serverless.Models.Templates;
using R1Serverless.Models.Text;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.ModelBuilder.Calibration;

/// <summary>What a model reads before its keys and values get their scales: questions of many kinds, in the model's own prompt form. It goes on by
/// itself from there.</summary>
internal static class CalibrationText
{
    private const int MaxTokens = 96;

    private static readonly string[] Questions =
    [
        "What is 347 + 85?",
        "What is 9.11 - 9.9? Think step by step.",
        "Is 0.803 larger than 0.83?",
        "What is 6 * 7?",
        "347+85等于多少？",
        "请用三句话解释为什么天空是蓝色的。",
        "Prove that the square root of two is irrational.",
        "Write a C# method that merges two sorted arrays, with a test.",
        "Translate into French and German: \"The ship left the harbour before dawn, and nobody saw it again.\"",
        "{\"task\": \"sort\", \"items\": [42, 7, -3, 1000000], \"order\": \"descending\"}",
        "Summarise the causes of the First World War in two paragraphs, and name three historians who disagree about them.",
        "A train leaves at 14:05 and travels 312 km at 96 km/h. A second one leaves half an hour later at 120 km/h. "
            + "Where does it overtake the first?",
        "Кто написал роман «Война и мир» и о чём он?",
        "SELECT name, COUNT(*) FROM orders GROUP BY name HAVING COUNT(*) > 3; -- what does this return?",
        "Let f(x) = x^3 - 3x + 1. Find all real roots to four decimal places.",
        "I feel tired all day although I sleep nine hours. What could I ask my doctor?",
    ];

    /// <summary>At least one prompt, none of them empty or longer than half the context.</summary>
    /// <exception cref="InvalidModelException">The tokenizer's file or the chat template's is damaged.</exception>
    public static IReadOnlyList<int[]> Prompts(string checkpoint, ModelConfig config)
    {
        var tokenizer = HuggingFaceTokenizer.Load(Path.Combine(checkpoint, ModelFiles.Tokenizer(checkpoint)));
        var template = ChatTemplate.Load(checkpoint, tokenizer);
        var most = Math.Clamp(config.ContextLength / 2, 1, MaxTokens);
        return
        [
            .. Questions
                .Select(question => Rendered(template, tokenizer, question))
                .Select(ids => ids.Where(id => id < config.VocabularySize).Take(most).ToArray())
                .Select(ids => ids.Length > 0 ? ids : [0]),
        ];
    }

    /// <summary>A template that does not take a plain question leaves it as it is.</summary>
    private static IReadOnlyList<int> Rendered(ChatTemplate template, ITokenizer tokenizer, string question)
    {
        try
        {
            if (template.Refusal is null)
                return template.Render(new Prompt.Chat([new ChatMessage(ChatRole.User, question)])).Ids;
        }
        catch (TemplateException)
        {
            // What it is read for are its characters, whatever stands around them.
        }

        return tokenizer.Encode(question, recogniseAdded: false);
    }
}
