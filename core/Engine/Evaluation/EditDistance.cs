namespace R1Serverless.Engine.Evaluation;

/// <summary>Levenshtein's distance.</summary>
internal static class EditDistance
{
    /// <summary>The least number of elements to insert, leave out or replace that makes one sequence the other.</summary>
    public static int Of<T>(ReadOnlySpan<T> one, ReadOnlySpan<T> other)
        where T : IEquatable<T>
    {
        // The distances of what was read of one to every beginning of the other.
        var row = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 0; i < one.Length; i++)
        {
            var diagonal = row[0]++;
            for (var j = 0; j < other.Length; j++)
            {
                var replaced = diagonal + (one[i].Equals(other[j]) ? 0 : 1);
                diagonal = row[j + 1];
                row[j + 1] = Math.Min(replaced, Math.Min(diagonal, row[j]) + 1);
            }
        }

        return row[^1];
    }
}
