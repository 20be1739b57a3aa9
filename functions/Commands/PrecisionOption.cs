using System.CommandLine;
using R1Serverless.Requests;

namespace R1Serverless.Commands;

/// <summary><c>--precision</c>, where one variant is chosen.</summary>
internal static class PrecisionOption
{
    /// <param name="description">For the help.</param>
    /// <param name="usual">Taken where the option is not given; null tells that it was not.</param>
    public static Option<string?> Create(string description, string? usual = PrecisionName.Auto)
    {
        Option<string?> option = new("--precision") { Description = description };
        if (usual is not null) option.DefaultValueFactory = _ => usual;
        option.AcceptOnlyFromAmong([.. PrecisionName.All, PrecisionName.Auto]);
        return option;
    }
}
