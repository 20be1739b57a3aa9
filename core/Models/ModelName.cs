namespace R1Serverless.Models;

/// <summary>The names that a model may have.</summary>
public static class ModelName
{
    private const int MaxLength = 100;
    private const string CachePrefix = "models--", Snapshots = "snapshots", OwnerEnd = "--";

    /// <summary>Letters, digits, dot, dash and underscore; no leading dot; at most 100 characters.</summary>
    public static bool IsValid(string name) =>
        name.Length is > 0 and <= MaxLength && name[0] != '.' && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');

    /// <summary>A folder's name; of one in Hugging Face's cache, models--OWNER--NAME/snapshots/COMMIT, the model's name there.</summary>
    /// <param name="folder">It need not exist.</param>
    public static string Of(string folder)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (Path.GetDirectoryName(folder) is not { } snapshots || Path.GetFileName(snapshots) != Snapshots
            || Path.GetFileName(Path.GetDirectoryName(snapshots)) is not { } cached || !cached.StartsWith(CachePrefix, StringComparison.Ordinal))
            return Path.GetFileName(folder);
        var owned = cached[CachePrefix.Length..];
        var end = owned.IndexOf(OwnerEnd, StringComparison.Ordinal);
        return end < 0 ? owned : owned[(end + OwnerEnd.Length)..];
    }

    /// <summary><see cref="Of"/> with a dash for what no model's name may have.</summary>
    public static string Valid(string folder)
    {
        var name = string.Concat(Of(folder).Select(c => IsValid($"x{c}") ? c : '-')).TrimStart('.');
        return name.Length == 0 ? "model" : name[..Math.Min(name.Length, MaxLength)];
    }
}
