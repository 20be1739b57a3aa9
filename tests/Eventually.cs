namespace R1Serverless.Tests;

/// <summary>Waits for what comes by itself and says no word when it does: with a deadline that no machine is too slow for, so that what never comes
/// fails its own test and stops no others.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <param name="what">Is waited for, as a sentence; said where it does not come.</param>
    public static Task HoldsAsync(Func<bool> holds, string what) => HoldsAsync(() => ValueTask.FromResult(holds()), () => what);

    public static Task HoldsAsync(Func<bool> holds, Func<string> what) => HoldsAsync(() => ValueTask.FromResult(holds()), what);

    public static async Task HoldsAsync(Func<ValueTask<bool>> holds, Func<string> what)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(began) > Limit) Assert.Fail($"Within {Limit.TotalMinutes:0} minutes it did not come: {what()}");
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
    }
}
