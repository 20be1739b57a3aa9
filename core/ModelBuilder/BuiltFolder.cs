using R1Serverless.Abstractions;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder;

/// <summary>Where a finished model goes.</summary>
internal static class BuiltFolder
{
    private const int MoveAttempts = 10;

    /// <summary>model.onnx, model_fp16.onnx, model_int8.onnx, model_int4.onnx.</summary>
    public static string GraphFile(Precision precision) => precision == Precision.Fp32 ? "model.onnx" : $"model_{PrecisionName.Of(precision)}.onnx";

    /// <summary>Makes the finished folder the target, in place of an older model, unless another build has just made an equal one.</summary>
    public static void Place(string done, string target, Func<bool> isThere)
    {
        for (var attempt = 1; !isThere(); attempt++)
        {
            CheckReplaceable(target);
            try
            {
                if (Directory.Exists(target)) WorkFolder.SetAside(target);
                Directory.Move(done, target);
                break;
            }
            catch (IOException) when (attempt < MoveAttempts && Directory.Exists(done))
            {
                // Another build moved its folder to the target in between: replace that one.
            }
        }

        WorkFolder.RemoveAbandoned(Path.GetDirectoryName(target)!);
    }

    /// <exception cref="InvalidModelException">Something stands there that is no built model.</exception>
    public static void CheckReplaceable(string target)
    {
        var isModel = () => File.Exists(Path.Combine(target, ModelManifest.FileName));
        // The second look is for a model that another build is just replacing.
        if (!isModel() && (File.Exists(target) || (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())) && !isModel())
            throw new InvalidModelException($"{target} exists and is no built model; it is left alone. Choose another output folder.");
    }
}
