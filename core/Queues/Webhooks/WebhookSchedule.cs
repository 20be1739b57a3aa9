namespace R1Serverless.Queues;

/// <summary>When a call that failed is tried again: four times as long after each failure, drawn from the upper half of it. Eight tries take 45 to 91 minutes.</summary>
internal static class WebhookSchedule
{
    public const int MostTries = 8;

    /// <param name="tries">That have failed, from 1.</param>
    /// <param name="draw">Uniform in [0, 1).</param>
    /// <returns>Null after the last.</returns>
    public static TimeSpan? After(int tries, double draw) => tries >= MostTries ? null : TimeSpan.FromSeconds(Math.Pow(4, tries - 1) * (0.5 + (0.5 * draw)));
}
