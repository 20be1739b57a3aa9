namespace R1Serverless.Models.Templates;

/// <summary>Upper and lower case, letter by letter: one whose other case is several letters (ß) stays as it is, other than in Python.</summary>
internal static class TextCases
{
    /// <summary>The first letter large, the rest small.</summary>
    public static string Capitalize(string text) => text.Length == 0 ? text : text[..1].ToUpperInvariant() + text[1..].ToLowerInvariant();

    /// <summary>As the method: a letter is large where none is before it.</summary>
    public static string Title(string text) =>
        Mapped(text, (c, before) => char.IsLetter(before) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));

    /// <summary>As the filter: a letter is large after white space, brackets and hyphens.</summary>
    public static string TitleOfWords(string text) =>
        Mapped(text, (c, before) => BeginsWord(before) ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));

    public static string Swap(string text) => Mapped(text, (c, _) => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));

    private static bool BeginsWord(char before) => before is '\0' or '-' or '(' or '{' or '[' or '<' || PythonText.IsSpace(before);

    private static string Mapped(string text, Func<char, char, char> map) => string.Create(text.Length, (text, map), static (mapped, state) =>
    {
        for (var i = 0; i < mapped.Length; i++)
            mapped[i] = state.map(state.text[i], i == 0 ? '\0' : state.text[i - 1]);
    });
}
