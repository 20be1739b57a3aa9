namespace R1Serverless.Models.Templates;

/// <summary>Going over what a value holds.</summary>
internal static class Iteration
{
    /// <exception cref="TemplateException">It holds nothing that could be gone over.</exception>
    public static IReadOnlyList<Value> Over(Value value) =>
        value.Elements ?? throw new TemplateException($"{Sentence.Begin(value.Kind)} can't be gone over.");
}
