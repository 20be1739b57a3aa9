using System.Text.RegularExpressions;

namespace R1Serverless.Tests.Infra;

/// <summary>The repository's .dockerignore: the last pattern that matches a path, or a folder that it is in, decides.</summary>
internal sealed class DockerIgnore
{
    private readonly (Regex Pattern, bool IsKept)[] _patterns =
    [
        .. File.ReadAllLines(RepositoryFiles.Path(".dockerignore")).Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => (Pattern(line.TrimStart('!')), line[0] == '!')),
    ];

    public bool LetsThrough(string path) => _patterns.LastOrDefault(one => one.Pattern.IsMatch(path)) is not { Pattern: not null, IsKept: false };

    private static Regex Pattern(string pattern) => new(
        $"^{Regex.Escape(pattern).Replace("\\*\\*/", "(.*/)?", StringComparison.Ordinal).Replace("\\*", "[^/]*", StringComparison.Ordinal)}(/.*)?$",
        RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));
}
