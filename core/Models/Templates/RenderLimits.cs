namespace R1Serverless.Models.Templates;

/// <summary>What a template may use. It is a stranger's program: it ends with an error before it takes a machine's time, memory or stack.</summary>
internal static class RenderLimits
{
    /// <summary>Characters of a template. The longest known has some 20,000.</summary>
    public const int MaxTemplateLength = 512 * 1024;

    /// <summary>Characters of one text, the prompt included.</summary>
    public const int MaxTextLength = 32 * 1024 * 1024;

    /// <summary>Expressions and statements evaluated; about a second of work.</summary>
    public const long MaxSteps = 10_000_000;

    /// <summary>What a loop's turn costs beside its body: a scope of its own.</summary>
    public const int StepsPerTurn = 4;

    /// <summary>How many characters (or elements of lists) are as much work as one step.</summary>
    public const int CharactersPerStep = 32;

    /// <summary>Expressions, statements and calls inside each other, while rendering.</summary>
    public const int MaxDepth = 300;

    /// <summary>Brackets, operators and blocks inside each other, while parsing.</summary>
    public const int MaxNesting = 100;

    /// <summary>Lists and dictionaries inside each other.</summary>
    public const int MaxValueNesting = 100;

    /// <summary>Elements of a list.</summary>
    public const int MaxItems = 1_000_000;

    /// <summary>Numbers of one range(), as in Python's sandbox.</summary>
    public const int MaxRange = 100_000;

    /// <exception cref="TemplateException">It is too long.</exception>
    public static void CheckLength(long characters)
    {
        if (characters > MaxTextLength)
            throw new TemplateException($"A text would have more than {MaxTextLength} characters.");
    }

    /// <exception cref="TemplateException">There are too many.</exception>
    public static void CheckItems(long items)
    {
        if (items > MaxItems)
            throw new TemplateException($"A list would have more than {MaxItems} elements.");
    }
}
