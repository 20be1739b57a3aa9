using System.CommandLine;
using System.Globalization;

namespace R1Serverless.Commands;

/// <summary>Bounds of options that take numbers. What is no number is told in the same words: the option's own conversion would name a type of
/// .NET.</summary>
internal static class NumberOption
{
    private static readonly Type[] Whole = [typeof(int), typeof(int?), typeof(int[])];

    /// <summary>Gives the option back.</summary>
    public static TOption Bound<TOption>(TOption option, double least, double most)
        where TOption : Option
    {
        var isWhole = Whole.Contains(option.ValueType);
        option.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => !(Parse(token.Value, isWhole) is { } value && value >= least && value <= most)))
                result.AddError(
                    string.Create(CultureInfo.InvariantCulture,
                    $"{option.Name} must be a {(isWhole ? "whole " : "")}number from {least} to {most}, not '{token.Value}'."));
        });
        return option;
    }

    /// <summary>A whole number with a default; the description ends with the bounds.</summary>
    public static Option<int> Create(string name, int usual, int least, int most, string description, string unit = "N") => Bound(
        new Option<int>(name)
        {
            Description = string.Create(CultureInfo.InvariantCulture, $"{description} ({least} to {most})"), HelpName = unit,
            DefaultValueFactory = _ => usual,
        }, least, most);

    private static double? Parse(string text, bool isWhole) =>
        isWhole ? (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? whole : null)
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;
}
